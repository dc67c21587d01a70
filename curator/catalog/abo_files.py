"""Where the files of an ABO download lie, however far and wherever its archives were unpacked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from curator.catalog.pictures import is_folder, is_hidden
from shared.value_class import value_class

_LISTINGS: Final = re.compile(r"listings_\w+\.json(?:\.gz)?")
_INDEX: Final = frozenset({"images.csv", "images.csv.gz"})
_ARCHIVE: Final = re.compile(r"abo-[\w-]+\.tar(?:\.gz)?")
_SIZES: Final = ("small", "original")
_SPREAD: Final = re.compile(r"[0-9a-f]{2}")
"""The folders that ABO's pictures are spread over."""
_DEEPEST: Final = 4
_MOST_ENTRIES: Final = 400
"""Entries of a folder that may be one of a download; folders of other pictures have more."""
_USUAL_LISTINGS: Final = ("listings", "metadata")
_LISTINGS_ARCHIVE: Final = "abo-listings"
_BESIDE_IT: Final = ("images", "abo-images-small", "abo-images-original")
"""Folders beside that of an archive of listings in which the rest may lie."""


@value_class
class AboFiles:
    """The folders of listings, of the index of images and of pictures, and archives not unpacked.

    ``only`` is the one file of listings that was asked for, if it was one.
    """

    listings: Path | None = None
    index: Path | None = None
    pictures: Path | None = None
    archives: tuple[Path, ...] = ()
    only: Path | None = None

    def __bool__(self) -> bool:
        """Return whether there are listings or archives of them."""
        return self.listings is not None or any("listings" in a.name for a in self.archives)

    def archive(self, part: str) -> Path | None:
        """Return the archive that is there and holds ``part``: listings or images."""
        return next((file for file in self.archives if part in file.name), None)


def abo_files(path: Path) -> AboFiles:
    """Return what lies at or below ``path``, and what lacks there from where it usually is."""
    if path.is_file():
        if not _LISTINGS.fullmatch(path.name):
            return AboFiles()
        found = replace(_below(path.parent), listings=path.parent, only=path)
        path = path.parent
    else:
        found = _below(path)
    for place in _places_beside(found.listings.resolve()) if found.listings else ():
        more = _below(place)
        found = replace(
            found,
            index=found.index or more.index,
            pictures=found.pictures or more.pictures,
            archives=found.archives or more.archives,
        )
    return found


def _places_beside(listings: Path) -> Iterator[Path]:
    """Yield where the rest of a download lies whose listings alone were given."""
    root = listings.parent.parent if listings.parts[-2:] == _USUAL_LISTINGS else listings
    yield root
    if root.name == _LISTINGS_ARCHIVE:
        yield from (root.parent / name for name in _BESIDE_IT)


def pictures_in(folder: Path) -> Path:
    """Return the folder that the index's paths start from, for one that may be around it."""
    places = (folder / part / size for part in ("", "images") for size in _SIZES)
    return next((place for place in places if place.is_dir()), folder)


@dataclass(slots=True)
class _Search:
    listings: Path | None = None
    index: Path | None = None
    pictures: list[Path] = field(default_factory=list)
    archives: list[Path] = field(default_factory=list)


def _below(path: Path) -> AboFiles:
    search = _Search()
    for folder, files, folders in _folders(path):
        if search.listings is None and any(map(_LISTINGS.fullmatch, files)):
            search.listings = folder
        if search.index is None and _INDEX & set(files):
            search.index = folder
        if folder.name in _SIZES and any(map(_SPREAD.fullmatch, folders)):
            search.pictures.append(folder)
        search.archives += [folder / name for name in files if _ARCHIVE.fullmatch(name)]
    small_first = sorted(search.pictures, key=lambda folder: _SIZES.index(folder.name))
    return AboFiles(
        search.listings,
        search.index,
        next(iter(small_first), None),
        tuple(sorted(search.archives)),
    )


def _folders(path: Path, depth: int = 0) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield folders with the names of their files and folders, those of few entries alone."""
    try:
        with os.scandir(path) as entries:
            names: list[tuple[str, bool]] = []
            for entry in entries:
                if len(names) > _MOST_ENTRIES:
                    return
                names.append((entry.name, is_folder(entry)))
    except OSError:
        # Whoever reads the folder itself says what is wrong with it.
        return
    folders = sorted(name for name, is_folder in names if is_folder and not is_hidden(name))
    yield path, [name for name, is_folder in names if not is_folder], folders
    if depth < _DEEPEST:
        for name in folders:
            if not _SPREAD.fullmatch(name):
                yield from _folders(path / name, depth + 1)
