"""Which file an image's name means: data name files by id, by number, or from another folder."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

from shared.errors import InputError
from shared.images.formats import SUFFIXES, is_picture
from shared.images.stores import is_url
from shared.program.reporting.event_log import EventLog
from shared.records import QAPair, Question

AboutImage = TypeVar("AboutImage", QAPair, Question)

_NUMBER: Final = re.compile(r"(\d+)(?:\.0)?")
_LAST_NUMBER: Final = re.compile(r"\d+$")
_LONGEST_PART: Final = 255
"""Bytes of a file's name; a longer one is on no file system."""
log = EventLog(__name__)


@dataclass(frozen=True)
class FoundImages:
    """The file below the images folder of each image name, and the names that have none."""

    files: Mapping[str, str]
    missing: Sequence[str]

    def renamed(self, rows: Iterable[AboutImage]) -> list[AboutImage]:
        """Return pairs or questions with the names of the files."""
        return [replace(row, filename=self.files.get(row.filename, row.filename)) for row in rows]

    @property
    def why_missing(self) -> str:
        """Return what the first missing name looks like, and the way out."""
        first = self.missing[0]
        if is_url(first):
            return f"{first} is a URL: save the pictures below --images and name the files"
        if first.startswith("/") or "\\" in first:
            return f"{first} lies elsewhere, and no file below --images has the end of its path"
        if PurePosixPath(first).suffix.lower() not in SUFFIXES:
            return (
                f"{first} is an id without a suffix, and no file below --images is called so or "
                "has its number at the end; name the files in a column `filename`"
            )
        return f"{first} is not there; give the place that the file names start from"


def find_images(names: Iterable[str], images: Path | str) -> FoundImages:
    """Find the file that each name means below the folder ``images``.

    A name that is a file's is that file. Others may lack the suffix, be the number at the end of
    one file's name (262148 is COCO_val2014_000000262148.jpg), or hold folders of another machine.
    Below a URL nothing can be listed, and every name is taken as it is.

    Raises:
        InputError: no such folder, or a name may mean several files.
    """
    wanted = dict.fromkeys(names)
    if is_url(str(images)):
        return FoundImages({}, ())
    folder = _Folder(Path(images))
    if not folder.root.is_dir():
        raise InputError(f"--images {images}: no such folder")
    missing = [name for name in wanted if not is_file_below(folder.root, name)]
    files = {name: file for name in missing if (file := folder.file_of(name))}
    if files:
        example = next(iter(files))
        log.info("images_found_by_id", images=len(files), such_as=f"{example}: {files[example]}")
    return FoundImages(files, [name for name in missing if name not in files])


def with_file_names(pairs: Sequence[QAPair], images: Path | str, data: Path | str) -> list[QAPair]:
    """Return pairs whose images are named as the files are, where there are files.

    Raises:
        InputError: none of the images is there, or a name may mean several files.
    """
    names = {pair.filename for pair in pairs}
    search = find_images((pair.filename for pair in pairs), images)
    if names and len(search.missing) == len(names):
        raise InputError(
            f"--images {images}: holds none of the {len(names):,} images of {data}: "
            f"{search.why_missing}"
        )
    return search.renamed(pairs)


class _Folder:
    """The pictures below a folder, listed when the first name is no file's."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def file_of(self, name: str) -> str:
        """Return the file that ``name`` means, or "" for none.

        Raises:
            InputError: several files.
        """
        path = name.replace("\\", "/")
        end = self._by_end(path)
        if end:
            return end
        if PurePosixPath(path).suffix.lower() in SUFFIXES:
            return ""
        number = _NUMBER.fullmatch(path)
        places = [self._by_stem.get(path), self._by_stem.get(path.rpartition("/")[2])]
        if number:
            whole = int(number[1])
            places += [self._by_stem.get(number[1]), self._by_number.get(whole)]
        files = next(filter(None, places), [])
        if len(files) > 1:
            raise InputError(
                f"--images {self.root}: image {name!r} may be {files[0]} or {files[1]}; name the "
                "files in a column `filename`"
            )
        return files[0] if files else ""

    def _by_end(self, path: str) -> str:
        """Return the file whose name is the longest end of ``path``: folders elsewhere go."""
        parts = [part for part in path.split("/") if part not in {"", "."}]
        if ".." in parts or is_url(path):
            return ""
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        return next((end for end in ends if is_file_below(self.root, end)), "")

    @cached_property
    def _by_stem(self) -> Mapping[str, list[str]]:
        """Files by their name without its suffix, with their folder or, failing that, alone."""
        whole: defaultdict[str, list[str]] = defaultdict(list)
        alone: defaultdict[str, list[str]] = defaultdict(list)
        for file in self._files:
            stem = file.rpartition(".")[0]
            whole[stem].append(file)
            alone[stem.rpartition("/")[2]].append(file)
        return alone | whole

    @cached_property
    def _by_number(self) -> Mapping[int, list[str]]:
        """Files by the number at the end of their name, without its suffix."""
        files: defaultdict[int, list[str]] = defaultdict(list)
        for file in self._files:
            number = _LAST_NUMBER.search(PurePosixPath(file).stem)
            if number:
                files[int(number[0])].append(file)
        return files

    @cached_property
    def _files(self) -> Sequence[str]:
        return sorted(_pictures_below(self.root))


def _pictures_below(root: Path) -> Iterator[str]:
    """Yield pictures below ``root``, linked folders too, hidden ones not; paths from ``root``."""
    been: set[str] = set()
    for place, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        if real in been:
            folders.clear()
            continue
        been.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if is_picture(PurePosixPath(name)) and not name.startswith("."):
                yield Path(place, name).relative_to(root).as_posix()


def is_file_below(root: Path, name: str) -> bool:
    """Return whether there is such a file below a folder; no file has a name that is too long."""
    longest = max((len(part.encode(errors="replace")) for part in name.split("/")), default=0)
    return longest <= _LONGEST_PART and (root / name).is_file()
