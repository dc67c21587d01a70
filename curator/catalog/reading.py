"""Opens a catalogue's files as text, packed or not, whatever wrote them."""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, TextIO, cast

from shared.errors import InputError

_LOOKED_AT_BYTES: Final = 2**20
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PACKED: Final = b"\x1f\x8b"
WAY_OUT: Final = "save it as CSV in UTF-8"


@contextmanager
def reading(path: Path) -> Iterator[TextIO]:
    """Open a text file, unpacked where it is packed with gzip; line ends stay as they are.

    It is read as UTF-8, as UTF-16 where it says so, else as Windows wrote it.

    Raises:
        InputError: it cannot be read, or holds no text.
    """
    try:
        with _unpacked(path) as file:
            encoding = _encoding_of(file.read(_LOOKED_AT_BYTES), path)
            file.seek(0)
            with io.TextIOWrapper(file, encoding=encoding, newline="") as text:
                yield text
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: cannot be read ({error.reason}); {WAY_OUT}") from error
    except (OSError, EOFError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error


@contextmanager
def reading_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file, unpacked where it is packed with gzip.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with _unpacked(path) as file:
            yield file
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error


@contextmanager
def _unpacked(path: Path) -> Iterator[BinaryIO]:
    """Open a file, unpacked if it is packed, whatever it is called: browsers leave the name."""
    with path.open("rb") as file:
        if not file.peek(len(_PACKED)).startswith(_PACKED):
            yield file
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield cast("BinaryIO", unpacked)


def _encoding_of(start: bytes, path: Path) -> str:
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    if b"\0" in start:
        raise InputError(f"{path}: is no text file; {WAY_OUT}")
    try:
        # Not final: the last character may be cut.
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def fingerprint_of(files: Iterable[Path]) -> str:
    """Return a digest of the files' names, sizes and times.

    Raises:
        InputError: one of them is gone.
    """
    digest = hashlib.sha256()
    for file in files:
        try:
            state = file.stat()
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror})") from error
        digest.update(f"{file.name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()
