"""Rows of a table as anyone wrote it: CSV with any separator, JSON lines, a JSON array."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, TextIO

from curator.catalog.reading import reading
from shared.errors import InputError

SAMPLE: Final = 200
"""So many of the first rows tell what the columns hold."""
_HEAD_CHARACTERS: Final = 2**16
_SEPARATORS: Final = ",;\t|"
_JSON: Final = frozenset({".json", ".jsonl", ".ndjson"})
_LONGEST_CELL: Final = min(sys.maxsize, 2**31 - 1)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its line in the file, and as many cells as there are columns, or more."""

    line: int
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Rows:
    """An open table: its columns, its first rows, and all its rows in order."""

    columns: Sequence[str]
    first: Sequence[Row]
    all: Iterator[Row]


@contextmanager
def rows_of(path: Path) -> Iterator[Rows]:
    """Open the table at ``path``; rows without any content are left out.

    Raises:
        InputError: it cannot be read.
    """
    csv.field_size_limit(_LONGEST_CELL)
    suffixes = {suffix.lower() for suffix in path.suffixes}
    with reading(path) as file:
        if suffixes & _JSON:
            yield _json_rows(file, path)
        else:
            columns, rows = _csv_rows(file)
            first = list(islice(rows, SAMPLE))
            yield Rows(columns, first, chain(first, rows))


def _csv_rows(file: TextIO) -> tuple[list[str], Iterator[Row]]:
    start = file.read(_HEAD_CHARACTERS)
    # Not all files can be gone back in.
    lines = chain(_lines(start, file), file)
    separator, lines_before = _separator(start)
    reader = csv.reader(lines, delimiter=separator)
    for _ in range(lines_before):
        next(reader, None)
    columns = [name.strip().strip("\ufeff") for name in next(reader, [])]
    return columns, _filled(reader, len(columns))


def _lines(start: str, file: TextIO) -> Iterator[str]:
    """Yield the lines that begin in ``start``, the last one made whole from ``file``."""
    for line in io.StringIO(start, newline=""):
        is_cut = not line.endswith("\n")
        yield line + file.readline() if is_cut else line


def _filled(reader: Any, width: int) -> Iterator[Row]:  # noqa: ANN401 - csv names no type
    for cells in reader:
        if any(cells):
            if len(cells) > width and not any(cells[width:]):
                del cells[width:]
            cells.extend([""] * (width - len(cells)))
            yield Row(reader.line_num, cells)


def _separator(start: str) -> tuple[str, int]:
    """Return what separates cells, and how many lines stand before the header."""
    head, *more = start.splitlines() or [""]
    if head.lower().startswith("sep=") and len(head) > len("sep="):
        return head[len("sep=")], 1
    # Amazon's flat files: two lines for people, then the columns.
    before = 2 if head.startswith("TemplateType=") else 0
    header = [head, *more][min(before, len(more))]
    widths = {one: len(next(csv.reader([header], delimiter=one), [])) for one in _SEPARATORS}
    return max(_SEPARATORS, key=lambda one: widths[one]), before


def _json_rows(file: TextIO, path: Path) -> Rows:
    objects = _json_objects(file, path)
    first = list(islice(objects, SAMPLE))
    columns = list(dict.fromkeys(str(name) for _, row in first for name in row))
    rows = (_row(line, row, columns) for line, row in chain(first, objects))
    return Rows(columns, [_row(line, row, columns) for line, row in first], rows)


def _row(line: int, row: dict[str, Any], columns: Sequence[str]) -> Row:
    return Row(line, [_cell(row.get(name)) for name in columns])


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _json_objects(file: TextIO, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        value = _parsed(line)
        if isinstance(value, dict) and not _lists_of(value):
            yield number, value
        elif number == 1 or value is None:
            yield from enumerate(_whole(line + file.read(), path, number), start=1)
        else:
            raise InputError(f"{path}: line {number} is not a JSON object")


def _whole(text: str, path: Path, line: int) -> Iterable[dict[str, Any]]:
    """Return the objects of one JSON text: a list of them, or an object that holds one."""
    value = _parsed(text)
    if value is None:
        raise InputError(f"{path}: line {line} is not JSON")
    lists = [value] if isinstance(value, list) else _lists_of(value)
    rows = next((entries for entries in lists if entries), [])
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: holds no list of JSON objects, one for each product")
    return rows


def _lists_of(value: object) -> list[list[Any]]:
    """Return the lists of objects in an object that is nothing but their wrapping."""
    if not isinstance(value, dict):
        return []
    lists = [entry for entry in value.values() if isinstance(entry, list)]
    is_wrapping = len(value) == 1 and lists and all(isinstance(row, dict) for row in lists[0])
    return lists if is_wrapping else []


def _parsed(text: str) -> Any:  # noqa: ANN401 - whatever it holds
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
