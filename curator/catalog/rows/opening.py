"""Opens a table of whatever kind: a registry of readers by the ends of files' names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from curator.catalog.reading import reading
from curator.catalog.rows.columnar import columnar_rows, is_columnar
from curator.catalog.rows.delimited import delimited_rows
from curator.catalog.rows.json_objects import json_rows
from curator.catalog.rows.row import Rows
from curator.catalog.rows.xml_elements import xml_rows

_JSON: Final = frozenset({".json", ".jsonl", ".ndjson"})
_XML: Final = frozenset({".xml", ".rss", ".atom"})
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
    suffixes = {suffix.lower() for suffix in path.suffixes}
    if is_columnar(path):
        with columnar_rows(files, images_dir) as rows:
            yield rows
    elif suffixes & _XML or _begins_as_xml(path):
        with xml_rows(path) as rows:
            yield rows
    else:
        with reading(path) as file:
            yield json_rows(file, path) if suffixes & _JSON else delimited_rows(file, path)


def _begins_as_xml(path: Path) -> bool:
    with reading(path) as file:
        return file.read(64).lstrip("\ufeff \r\n").startswith(_XML_BEGINNINGS)
