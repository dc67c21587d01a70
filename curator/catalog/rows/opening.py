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

from curator.catalog.pictures import looks_like_picture
from curator.catalog.reading import reading
from curator.catalog.rows.head import head_of, is_title, names_without_header
from shared.errors import InputError

SAMPLE: Final = 200
"""So many of the first rows tell what the columns hold."""
_HEAD_CHARACTERS: Final = 2**16
_JSON: Final = frozenset({".json", ".jsonl", ".ndjson"})
_WRAPPINGS: Final = frozenset(
    {"products", "items", "results", "data", "records", "rows", "listings", "entries", "docs"}
)
"""What the list of all products is called beside other things, such as their number."""
_ANNOTATED: Final = frozenset({"images", "annotations"})
"""What a file in COCO's format holds; its list of images is one of rows."""
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
            columns, rows = _csv_rows(file, path)
            first = list(islice(rows, SAMPLE))
            yield Rows(columns, first, chain(first, rows))


def _csv_rows(file: TextIO, path: Path) -> tuple[list[str], Iterator[Row]]:
    start = file.read(_HEAD_CHARACTERS)
    # Not all files can be gone back in.
    quotes = _Quotes(path)
    head = head_of(start)
    reader = csv.reader(
        quotes.counted(_lines(start, file)),
        delimiter=head.separator,
        skipinitialspace=head.separator == " ",
    )
    for _ in range(head.rows_before):
        next(reader, None)
    filled = (cells for cells in reader if any(cells))
    header: list[str] = next(filled, [])
    if is_title(header):
        header = next(filled, header)
    if names := names_without_header(header):
        first = Row(reader.line_num, header)
        return names, chain([first], _filled(reader, len(names), quotes))
    columns = [name.strip().strip("\ufeff") for name in header]
    return columns, _filled(reader, len(columns), quotes)


def _lines(start: str, file: TextIO) -> Iterator[str]:
    """Yield the lines of ``start`` and of ``file``, which goes on where that may be cut."""
    *whole, last = [*io.StringIO(start, newline="")] or [""]
    yield from whole
    yield last if last.endswith("\n") else last + file.readline()
    yield from file


@dataclass(slots=True)
class _Quotes:
    """Counts quotes, of which one that is never closed takes in all the rows below it."""

    path: Path
    count: int = 0

    def counted(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            self.count += line.count('"')
            yield line


def _filled(
    reader: Any,  # noqa: ANN401 - csv names no type
    width: int,
    quotes: _Quotes,
) -> Iterator[Row]:
    before = line = reader.line_num
    quotes_before = quotes_now = quotes.count
    for cells in reader:
        before, line = line, reader.line_num
        quotes_before, quotes_now = quotes_now, quotes.count
        if any(cells):
            if len(cells) > width and not any(cells[width:]):
                del cells[width:]
            cells.extend([""] * (width - len(cells)))
            yield Row(line, cells)
    if line > before + 1 and (quotes_now - quotes_before) % 2:
        raise InputError(f"{quotes.path}: line {before + 1}: a quote opens there that never closes")


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
    if _are_records(list(value.values())):
        return [[{"id": name, **entry} for name, entry in value.items()]]
    lists = {
        name: entry
        for name, entry in value.items()
        if isinstance(entry, list) and entry and all(isinstance(row, dict) for row in entry)
    }
    if value.keys() >= _ANNOTATED:
        return [lists.get("images", [])]
    # A product may have a list of such a name too, and then a picture beside it.
    names_picture = any(
        isinstance(cell, str) and looks_like_picture(cell) for cell in value.values()
    )
    is_wrapping = len(lists) == 1 and not names_picture and bool(_WRAPPINGS & lists.keys())
    return list(lists.values()) if is_wrapping or len(value) == 1 else []


def _are_records(values: Sequence[Any]) -> bool:
    """Return whether values are several objects with fields in common, as those of one kind."""
    if len(values) <= 1 or not all(isinstance(value, dict) for value in values):
        return False
    return bool(set(values[0]).intersection(*values[1:]))


def _parsed(text: str) -> Any:  # noqa: ANN401 - whatever it holds
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
