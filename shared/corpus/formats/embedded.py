"""Pictures that stand within the rows of a table, as text: base64, with a data URL or without."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from shared.corpus.formats.cells import cell_text
from shared.corpus.formats.tables import RawTable, Row
from shared.files.embedded_pictures import picture_suffix
from shared.records import COLUMN_ALIASES
from shared.records.columns import column_key

_DATA_URL: Final = "data:image/"
_START: Final = 16
"""Characters of base64, whole groups of four, that tell how a picture begins."""
_LEAST: Final = 64
"""Characters; no picture is shorter, and file names are."""
_PICTURE_KEYS: Final = tuple(map(column_key, COLUMN_ALIASES["filename"]))
_ID_KEYS: Final = tuple(map(column_key, COLUMN_ALIASES["id"]))


def picture_bytes(cell: object) -> bytes | None:
    """Return the picture that a cell holds as base64, or a struct of the hub's; else ``None``."""
    if isinstance(cell, dict):
        return picture_bytes(cell.get("bytes"))
    if not isinstance(cell, str):
        return None
    text = cell.strip()
    if text.startswith(_DATA_URL):
        text = text.partition(",")[2]
    if len(text) < _LEAST or picture_suffix(_decoded(text[:_START]) or b"") is None:
        return None
    return _decoded("".join(text.split()))


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return None


def picture_column(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Return the column whose cells hold pictures as text, or "" for none."""
    by_key = {column_key(name): name for name in columns}
    candidates = [by_key[key] for key in _PICTURE_KEYS if key in by_key]
    return next(
        (name for name in candidates if any(picture_bytes(row.get(name)) for row in rows)), ""
    )


def with_named_pictures(raw: RawTable, column: str, name: Callable[[bytes], str]) -> RawTable:
    """Return a table whose ``column`` of pictures has their names instead.

    VLMEvalKit keeps a picture once: other rows have the `index` of the row that holds it.
    """
    names: list[object] = []
    for row in raw.rows:
        content = picture_bytes(row.get(column))
        names.append(row.get(column) if content is None else name(content))
    held = {
        index: given
        for row, given in zip(raw.rows, names, strict=True)
        if row.get(column) is not given and (index := _index(raw.columns, row))
    }
    rows = [
        {**row, column: held.get(str(given).strip(), given)}
        for row, given in zip(raw.rows, names, strict=True)
    ]
    return replace(raw, rows=rows)


def _index(columns: Sequence[str], row: Row) -> str:
    by_key = {column_key(name): name for name in columns}
    name = next((by_key[key] for key in reversed(_ID_KEYS) if key in by_key), None)
    try:
        return "" if name is None else cell_text(row.get(name))
    except ValueError:
        # Nothing that another row could name it by.
        return ""
