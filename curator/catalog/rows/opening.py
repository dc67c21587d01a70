"""Opens a table of whatever kind: a registry of readers by the ends of files' names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from curator.catalog.reading import reading, reading_bytes
from curator.catalog.rows.columnar import columnar_rows, is_columnar
from curator.catalog.rows.delimited import delimited_rows
from curator.catalog.rows.json_objects import json_rows
from curator.catalog.rows.row import Rows
from shared.errors import InputError

_JSON: Final = frozenset({".json", ".jsonl", ".ndjson"})
_XML: Final = frozenset({".xml", ".rss", ".atom"})
_NO_TABLES: Final = {
    b"<!doctype html": "is a web page; download the file itself",
    b"<html": "is a web page; download the file itself",
    b"version https://git-lfs": "is Git LFS's stand-in; fetch it with `git lfs pull`",
    b"pk\x03\x04": "is an Excel sheet or a zip archive; save it as CSV in UTF-8, or unpack it",
    b"\xd0\xcf\x11\xe0": "is an Excel sheet; save it as CSV in UTF-8",
    b"sqlite format 3": "is a SQLite database; save the table as CSV in UTF-8",
}
"""How files begin that are no tables, in lower case, and the way out."""
_LOOKED_AT: Final = 64
_XML_BEGINNINGS: Final = ("<?xml", "<rss", "<feed")


@contextmanager
def rows_of(files: Sequence[Path], images_dir: Path) -> Iterator[Rows]:
    """Open the table in ``files``, of which there are several where it is kept in shards.

    Rows without any content are left out. Pictures within the table are written below
    ``images_dir``.

    Raises:
        InputError: it cannot be read.
    """
    path = files[0]
    _refuse_other_contents(path)
    suffixes = {suffix.lower() for suffix in path.suffixes}
    if is_columnar(path):
        with columnar_rows(files, images_dir) as rows:
            yield rows
    elif suffixes & _XML or _begins_as_xml(path):
        # Its parser takes as long to import as all the rest of this room, and few feeds are XML.
        from curator.catalog.rows.xml_elements import xml_rows  # noqa: PLC0415

        with xml_rows(path) as rows:
            yield rows
    else:
        with reading(path) as file:
            yield json_rows(file, path) if suffixes & _JSON else delimited_rows(file, path)


def _refuse_other_contents(path: Path) -> None:
    """Refuse what is plainly no table, whatever it is called: a download that went wrong.

    Raises:
        InputError: it is such; the message says what, and the way out.
    """
    with reading_bytes(path) as file:
        start = file.read(_LOOKED_AT).lstrip(b"\xef\xbb\xbf \r\n").lower()
    for beginning, way_out in _NO_TABLES.items():
        if start.startswith(beginning):
            raise InputError(f"{path}: {way_out}")


def _begins_as_xml(path: Path) -> bool:
    with reading(path) as file:
        return file.read(_LOOKED_AT).lstrip("\ufeff \r\n").startswith(_XML_BEGINNINGS)
