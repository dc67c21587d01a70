"""Finds below the images folder what a catalogue names: by path, by URL or by id."""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from curator.catalog.finding.by_id import PicturesById
from curator.catalog.finding.fetched_names import fetched_name
from curator.catalog.finding.listed_folders import PLAIN, ListedFolders
from curator.catalog.pictures import (
    READ_SUFFIXES,
    is_hidden,
    is_unread_format,
    is_web_address,
    suffix_of,
    without_query,
)
from curator.catalog.skipped import Reason
from shared.errors import InputError

_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")
_NO_SUCH_FILE: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.EILSEQ}
)


class Locator:
    """Looks below one images folder; ``beside`` is the folder of the table that names images."""

    def __init__(self, images_dir: Path, beside: Path, by_id: PicturesById | None = None) -> None:
        self._root = str(images_dir.absolute())
        # Paths may be spelt through a link or not.
        spellings = dict.fromkeys((self._root, str(images_dir.resolve())))
        self._bases = [_parts(base.replace("\\", "/")) for base in spellings]
        self._by_id = by_id
        self._listed = ListedFolders(self._root)
        self._addresses: dict[int, int] = {}
        self._beside = _parts(str(beside.resolve()).replace("\\", "/"))

    def is_path(self, cell: str) -> bool:
        """Return whether a cell is for certain just the path of a picture that is there.

        By far the most frequent, and told in a fifth of the time.
        """
        return self._listed.holds(cell)

    def locate(self, name: str) -> str | Reason:
        """Return the path below the images folder of what ``name`` means, or why there is none.

        Raises:
            InputError: the folder cannot be looked at.
        """
        if self._listed.holds(name) or (PLAIN.match(name) and self._is_file(name)):
            return name
        place = self._place(name)
        return self._of_one_address(name, place) if is_web_address(name) else place

    def has(self, name: str) -> bool:
        """Return whether ``name`` means a picture that is there.

        Raises:
            InputError: the folder cannot be looked at.
        """
        return not isinstance(self._place(name), Reason)

    def _place(self, name: str) -> str | Reason:
        if is_web_address(name):
            return self._fetched(name) or self._first_file(_paths_of_url(name)) or Reason.URL
        if name.startswith("data:"):
            return Reason.AS_TEXT
        text = name.removeprefix("file://")
        if text.startswith("\\\\"):
            return Reason.OUTSIDE
        path = text.replace("\\", "/")
        parts = _parts(path)
        if ".." in parts:
            return self._climbing(parts, is_absolute=path.startswith("/"))
        if path.startswith("/") or _DRIVE.match(text):
            return self._absolute(parts)
        return self._relative(parts)

    def _fetched(self, url: str) -> str | None:
        """Return the file as `curator fetch` calls it, to the letter."""
        name = fetched_name(url)
        if name is None or suffix_of(name) not in READ_SUFFIXES:
            return name and self._file([name])
        return name if self._is_file(name) else None

    def _of_one_address(self, url: str, place: str | Reason) -> str | Reason:
        if isinstance(place, Reason):
            return place
        # By hashes: a catalogue may have hundreds of thousands.
        address = hash(without_query(url).partition("//")[2])
        if self._addresses.setdefault(hash(place), address) != address:
            return Reason.TAKEN_URL
        return place

    def _absolute(self, parts: list[str]) -> str | Reason:
        below = self._below_base(parts)
        if below is not None:
            return self._relative(below)
        # Magento starts from its media folder: /b/l/blue-mug.jpg.
        return self._file(parts) or Reason.OUTSIDE

    def _relative(self, parts: list[str]) -> str | Reason:
        if any(map(is_hidden, parts)):
            return Reason.HIDDEN
        if file := self._file(parts):
            return file
        below = self._below_base([*self._beside, *parts])
        if below is not None and (file := self._file(below)):
            return file
        if parts[:1] == self._bases[0][-1:] and (file := self._file(parts[1:])):
            # The images folder is named again.
            return file
        # Nothing is left of "./", which is the folder itself.
        path = "/".join(parts)
        if self._by_id is not None and (file := self._by_id.path_of(path)):
            return file
        return Reason.UNREADABLE_FORMAT if is_unread_format(path) else Reason.MISSING

    def _climbing(self, parts: list[str], *, is_absolute: bool) -> str | Reason:
        start = [] if is_absolute else self._beside
        path = os.path.normpath("/" + "/".join([*start, *parts]))
        below = self._below_base(_parts(path))
        return Reason.OUTSIDE if below is None else self._relative(below)

    def _below_base(self, parts: list[str]) -> list[str] | None:
        for base in self._bases:
            if parts[: len(base)] == base:
                return parts[len(base) :] or ["."]
        return None

    def _first_file(self, paths: Iterator[list[str]]) -> str | None:
        for parts in paths:
            if not any(map(is_hidden, parts)) and (file := self._file(parts)):
                return file
        return None

    def _file(self, parts: list[str]) -> str | None:
        path = "/".join(parts)
        if self._is_file(path):
            return None if is_unread_format(path) else path
        if suffix_of(path) in READ_SUFFIXES:
            return next(filter(self._is_file, _other_spellings(path)), None)
        if "?" in path:
            return self._file([path.partition("?")[0]])
        # An id, perhaps, that names the file; pandas makes 1 into 1.0.
        path = path.removesuffix(".0")
        return next((p for p in map(path.__add__, READ_SUFFIXES) if self._is_file(p)), None)

    def _is_file(self, path: str) -> bool:
        try:
            return stat.S_ISREG(os.stat(f"{self._root}/{path}").st_mode)  # noqa: PTH116 - speed
        except ValueError:
            # A NUL in it.
            return False
        except OSError as error:
            if error.errno in _NO_SUCH_FILE:
                return False
            raise InputError(
                f"{self._root}/{path}: cannot be looked at ({error.strerror}); "
                "mend that, or give --images DIR"
            ) from error


def _paths_of_url(url: str) -> Iterator[list[str]]:
    """Yield where a download of ``url`` may lie: under its whole path, or the end of it."""
    address = without_query(url)
    for spelling in dict.fromkeys((unquote(address), address)):
        parts = [part for part in _parts(spelling)[1:] if part != ".."]
        for start in range(len(parts)):
            yield parts[start:]


def _other_spellings(path: str) -> Iterator[str]:
    """Yield a path as a system that cares less for letters may have written it."""
    stem, _, suffix = path.rpartition(".")
    yield f"{stem}.{suffix.swapcase()}"
    folder, slash, name = stem.rpartition("/")
    if name.isupper() or name.islower():
        # Not where letters are mixed: such names may differ by nothing else.
        start = f"{folder}{slash}{name.swapcase()}"
        yield from (f"{start}.{suffix.lower()}", f"{start}.{suffix.upper()}")
    if "%" in path:
        yield unquote(path)
    if not path.isascii():
        yield unicodedata.normalize("NFC", path)
        yield unicodedata.normalize("NFD", path)


def _parts(path: str) -> list[str]:
    # By hand, because pathlib takes a third of the time of reading a large file.
    return [part for part in path.split("/") if part not in {"", "."}]
