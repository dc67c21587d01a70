"""A folder of images as a catalogue: names of folders tell products and categories."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from curator.catalog.catalog import AsGiven
from curator.catalog.folder_names import place_of
from curator.catalog.pictures import is_hidden
from curator.catalog.skipped import Reason, Skipped
from shared.errors import InputError
from shared.images.formats import is_picture, is_unread_picture
from shared.records import ImageRef, Listing, is_unicode
from shared.value_class import value_class

_TABLES: Final = frozenset({".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".xml"})


def folder_catalog(path: Path, given: AsGiven) -> FolderCatalog | None:
    """Return the folder at ``path`` as a catalogue; ``None`` where there is none."""
    return FolderCatalog(path, given.images_dir or path) if path.is_dir() else None


@value_class
class FolderCatalog:
    """A folder of images, also in sub-folders; its folders' names are all the metadata."""

    path: Path
    images_dir: Path

    def fingerprint(self) -> str | None:
        """Return ``None``: images may appear anywhere below."""
        return None

    def listings(self, skipped: Skipped) -> Iterator[Listing]:
        """Yield one listing an image, sorted within each folder; those of linked folders last.

        A folder's own images come before those of its sub-folders.
        """
        base, root = self.images_dir.resolve(), self.path.resolve()
        for folder, names in _Walk(skipped).folders(root):
            place = place_of(
                folder.relative_to(root).parts if folder.is_relative_to(root) else (),
                [PurePosixPath(name).stem for name in names],
            )
            if not folder.is_relative_to(base):
                for name in names:
                    skipped.add(Reason.OUTSIDE, str(folder / name))
                continue
            # As text: a path object for each of millions of names takes longer than all else.
            above = "".join(f"{part}/" for part in folder.relative_to(base).parts)
            for name in names:
                # With its folders, for in each of them may be a 1.jpg.
                image_id = above + PurePosixPath(name).stem
                yield Listing(
                    place.product or image_id, ImageRef(image_id, above + name), place.metadata
                )


class _Walk:
    """A way through folders and links that enters each folder once."""

    def __init__(self, skipped: Skipped) -> None:
        self._skipped = skipped
        self._entered: set[tuple[int, int]] = set()
        self._links: list[Path] = []

    def folders(self, folder: Path) -> Iterator[tuple[Path, list[str]]]:
        """Yield each folder that holds pictures with their names."""
        yield from self._below(folder)
        # What a link leads to may also lie here by its own name, which then counts.
        while self._links:
            yield from self._below(self._links.pop(0))

    def _below(self, folder: Path) -> Iterator[tuple[Path, list[str]]]:
        try:
            state = folder.stat()
            if (identity := (state.st_dev, state.st_ino)) in self._entered:
                return
            self._entered.add(identity)
            with os.scandir(folder) as entries:
                names = sorted((entry.name, _kind(entry)) for entry in entries)
        except OSError as error:
            raise InputError(f"{folder}: cannot be read ({error.strerror})") from error
        below = []
        pictures = []
        for name, kind in names:
            if is_hidden(name):
                self._skipped.add(Reason.HIDDEN, str(folder / name))
            elif not (name.isascii() or is_unicode(name)):
                # As the system gives bytes that are no UTF-8, which no file of pairs can hold.
                self._skipped.add(Reason.NOT_UNICODE, str(folder / name))
            elif kind == "folder":
                below.append(folder / name)
            elif kind == "linked folder":
                self._links.append(folder / name)
            elif self._is_usable(folder / name, kind):
                pictures.append(name)
        if pictures:
            yield folder, pictures
        for path in below:
            yield from self._below(path)

    def _is_usable(self, path: Path, kind: str) -> bool:
        if kind == "broken link":
            self._skipped.add(Reason.BROKEN_LINK, str(path))
        elif is_unread_picture(path):
            self._skipped.add(Reason.UNREADABLE_FORMAT, str(path))
        elif kind == "file" and path.suffix.lower() in _TABLES:
            self._skipped.add(Reason.TABLE, str(path))
        elif kind != "file" or not is_picture(path):
            self._skipped.add(Reason.NOT_A_PICTURE, str(path))
        else:
            return True
        return False


def _kind(entry: os.DirEntry[str]) -> str:
    if not entry.is_symlink():
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        return "file" if entry.is_file(follow_symlinks=False) else "other"
    try:
        if entry.is_dir():
            return "linked folder"
        return "file" if entry.is_file() else "broken link"
    except OSError:
        # It leads to itself.
        return "broken link"
