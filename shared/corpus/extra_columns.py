"""Writes the columns of pairs beyond those that every data set has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from shared.records import QAPair
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


def extra_cells(pair: QAPair, extra: ExtraColumns) -> dict[str, Any]:
    """Return what a pair has in the further columns; ``None`` where it has nothing."""
    has = dict(pair.extra)
    return {name: has.get(name) for name in extra}
