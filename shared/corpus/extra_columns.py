"""The columns of pairs beyond those that every data set has, as files have them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa

from shared.records.column_kinds import ColumnKind, ExtraColumns

ARROW_NAMES: Final[Mapping[ColumnKind, str]] = {
    ColumnKind.STRING: "string",
    ColumnKind.INTEGER: "int64",
    ColumnKind.NUMBER: "float64",
    ColumnKind.BOOLEAN: "bool",
}
"""As Arrow and `datasets` call them."""


def with_extra(schema: pa.Schema, extra: ExtraColumns) -> pa.Schema:
    """Return ``schema`` with further columns behind its own."""
    for name, kind in extra.items():
        schema = schema.append(pa.field(name, pa.type_for_alias(ARROW_NAMES[kind])))
    return schema


_TRUTHS: Final[Mapping[str, bool]] = {"true": True, "false": False}
_WHOLE: Final = re.compile(r"0|-?[1-9]\d{0,17}")
_DECIMAL: Final = re.compile(r"-?\d+\.\d+")


def kind_of(cells: Sequence[object]) -> ColumnKind:
    """Return what a column holds whose cells are given, also where a spreadsheet wrote all as text.

    What has no other kind, such as numbers with zeros before them, is text.
    """
    texts = [_text(cell) for cell in cells if not _is_nothing(cell)]
    if not texts:
        return ColumnKind.STRING
    if all(text.lower() in _TRUTHS for text in texts):
        return ColumnKind.BOOLEAN
    if all(map(_WHOLE.fullmatch, texts)):
        return ColumnKind.INTEGER
    if all(_WHOLE.fullmatch(text) or _DECIMAL.fullmatch(text) for text in texts):
        return ColumnKind.NUMBER
    return ColumnKind.STRING


def cell_of(cell: object, kind: ColumnKind) -> str | float | bool | None:
    """Return a cell of a column of ``kind`` as a value of that kind; ``None`` for nothing."""
    if _is_nothing(cell):
        return None
    text = _text(cell)
    match kind:
        case ColumnKind.BOOLEAN:
            return _TRUTHS[text.lower()]
        case ColumnKind.INTEGER:
            return int(text)
        case ColumnKind.NUMBER:
            return float(text)
        case ColumnKind.STRING:
            return text


def _is_nothing(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _text(cell: object) -> str:
    return json.dumps(cell, default=str) if isinstance(cell, list | dict) else str(cell).strip()
