"""Tells files that are something else than their suffix says by how they begin."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from shared.errors import InputError

_LOOKED_AT: Final = 64
"""Bytes."""
_WEB_PAGE: Final = "is a web page or XML; download the file itself"
_BEGINNINGS: Final = (
    (b"PAR1", "is Parquet; call it .parquet", {".parquet"}),
    (b"\x1f\x8b", "is compressed; unpack it first, as `gunzip` does", set[str]()),
    (b"PK\x03\x04", "is an Excel sheet or a zip archive; save or unpack it as .csv", set[str]()),
    (b"\xd0\xcf\x11\xe0", "is an Excel sheet; save it as .csv (UTF-8)", set[str]()),
    (b"version https://git-lfs", "is Git LFS's stand-in; fetch it with `git lfs pull`", set[str]()),
    *((html, _WEB_PAGE, set[str]()) for html in (b"<!", b"<html", b"<HTML", b"<?xml")),
    (b'{"', "holds JSON; call it .jsonl", {".json", ".jsonl", ".ndjson"}),
    (b'[{"', "holds JSON; call it .json", {".json", ".jsonl", ".ndjson"}),
)
"""How files begin, with the way out and the suffixes that are right for them."""


def refuse_other_contents(path: Path) -> None:
    """Check that a file is not plainly something else than its suffix says.

    Raises:
        InputError: it is; the message says what, and the way out.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(_LOOKED_AT).removeprefix(b"\xef\xbb\xbf").lstrip()
    for beginning, way_out, suffixes in _BEGINNINGS:
        if start.startswith(beginning) and path.suffix.lower() not in suffixes:
            raise InputError(f"{path}: {way_out}")
