"""Rows of delimited text, such as CSV with any separator, with its usual oddities."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, TextIO

from curator.catalog.rows.head import head_of, is_title, names_without_header
from curator.catalog.rows.row import SAMPLE, Row, Rows
from shared.errors import InputError

_HEAD_CHARACTERS: Final = 2**16
_LONGEST_CELL: Final = min(sys.maxsize, 2**31 - 1)


def delimited_rows(file: TextIO, path: Path) -> Rows:
    """Return the rows of ``file``, which is called ``path``; those without content are left out.

    Raises:
        InputError: a quote opens that never closes.
    """
    csv.field_size_limit(_LONGEST_CELL)
    columns, rows = _opened(file, path)
    first = list(islice(rows, SAMPLE))
    return Rows(columns, first, chain(first, rows))


def _opened(file: TextIO, path: Path) -> tuple[list[str], Iterator[Row]]:
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
    """Return the lines of ``start`` and of ``file``, which goes on where that may be cut."""
    *whole, last = [*io.StringIO(start, newline="")] or [""]
    return chain(whole, [last if last.endswith("\n") else last + file.readline()], file)


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
            if len(cells) < width:
                cells.extend([""] * (width - len(cells)))
            elif len(cells) > width and not any(cells[width:]):
                del cells[width:]
            yield Row(line, cells)
    if line > before + 1 and (quotes_now - quotes_before) % 2:
        raise InputError(f"{quotes.path}: line {before + 1}: a quote opens there that never closes")
