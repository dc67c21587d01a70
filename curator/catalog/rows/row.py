"""What rows of a table are, whatever file they come from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from shared.value_class import value_class

SAMPLE: Final = 200
"""So many of the first rows tell what the columns hold."""


class Row(NamedTuple):
    """One row: its line or number in the file, and as many cells as there are columns, or more."""

    line: int
    cells: Sequence[str]


@value_class
class Rows:
    """An open table: its columns, its first rows, and all its rows in order."""

    columns: Sequence[str]
    first: Sequence[Row]
    all: Iterator[Row]


def rows_of_objects(objects: Iterable[tuple[int, Mapping[str, Any]]]) -> Rows:
    """Return the rows of numbered objects; the first ones tell which columns there are."""
    left = iter(objects)
    first = list(islice(left, SAMPLE))
    columns = list(dict.fromkeys(str(name) for _, fields in first for name in fields))
    rows = (_row(line, fields, columns) for line, fields in chain(first, left))
    return Rows(columns, [_row(line, fields, columns) for line, fields in first], rows)


def _row(line: int, fields: Mapping[str, Any], columns: Sequence[str]) -> Row:
    return Row(line, [_cell(fields.get(name)) for name in columns])


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | int | float | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
