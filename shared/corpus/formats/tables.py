"""Tables as anyone wrote them: CSV with any separator, JSON in its usual shapes, Parquet.

Cells stay as they are in the file; ``cells`` says what they mean, ``columns`` which is which.
"""

from __future__ import annotations

import codecs
import csv
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.lib
import pyarrow.parquet as pq

from shared.corpus.formats.arrow_arrays import array_of
from shared.corpus.formats.contents import refuse_other_contents
from shared.corpus.formats.conversations import TURNS
from shared.corpus.formats.json_rows import read_json_rows, told_apart
from shared.errors import InputError
from shared.records import COLUMN_ALIASES
from shared.records.columns import column_key
from shared.value_class import value_class

Row = Mapping[str, Any]

DATA_SUFFIXES: Final = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")
"""Endings of files of rows."""
_KNOWN_NAMES: Final = frozenset(column_key(a) for names in COLUMN_ALIASES.values() for a in names)
_PICTURE_NAMES: Final = frozenset(map(column_key, COLUMN_ALIASES["filename"]))
_SEPARATOR_LINE: Final = re.compile(r'"?sep=(.)"?[,;\t]*')
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@value_class
class LeftOut:
    """A row, from 1, that is not used, and why."""

    row: int
    reason: str


@dataclass(frozen=True)
class RawTable:
    """What a file holds: its columns and its rows with their numbers, as they stand there.

    ``hint`` is the way out where a column is missing. ``pictures`` are columns that hold pictures,
    of which only the names were read.
    """

    columns: Sequence[str]
    rows: Sequence[Row]
    lines: Sequence[int]
    left_out: Sequence[LeftOut] = ()
    hint: str = ""
    pictures: frozenset[str] = frozenset()

    @classmethod
    def of(cls, columns: Sequence[str], rows: Sequence[Row], hint: str = "") -> RawTable:
        """Return a table of which every row is used."""
        return cls(columns, rows, range(1, len(rows) + 1), hint=hint)


def read_raw(path: Path) -> RawTable:
    """Read a file by its suffix.

    Raises:
        InputError: there is no such file, another suffix, or it cannot be read.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; one of its files was expected")
    reader = _READERS.get(path.suffix.lower())
    try:
        refuse_other_contents(path)
        if reader is None:
            *first, last = DATA_SUFFIXES
            raise InputError(f"{path}: cannot tell the format; use {', '.join(first)} or {last}")
        return reader(path)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: cannot be read as UTF-8 (byte {error.start}: {error.reason}); save it so"
        ) from error
    except RecursionError as error:
        raise InputError(f"{path}: cannot be read (nested too deep)") from error
    except (OSError, csv.Error, ValueError, pyarrow.lib.ArrowException) as error:
        raise InputError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from error


def text_encoding(path: Path) -> str:
    """Return how a text file is encoded: UTF-16 where its mark says so, else UTF-8.

    Raises:
        ValueError: it looks like UTF-16 without a mark.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(_UTF16_MARKS):
        return "utf-16"
    if b"\0" in start[:2]:
        raise ValueError("looks like UTF-16 without a byte order mark; save it as UTF-8")
    return "utf-8-sig"


def _read_csv(path: Path) -> RawTable:
    # A model that repeats itself writes cells of any length.
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding=text_encoding(path), newline="") as file:
        start, delimiter = _told_delimiter(file)
        if not delimiter:
            usual = "\t,;|" if path.suffix.lower() == ".tsv" else ",;\t|"
            delimiter = _delimiter(file, usual)
        file.seek(start)
        lines = _CountedQuotes(file)
        records = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        columns = next(records, [])
        table = _csv_rows(columns, records)
    last = table.rows[-1] if table.rows else {}
    if lines.quotes % 2 and any("\n" in (cell or "") for cell in last.values()):
        raise ValueError(f"row {table.lines[-1]}: a quotation mark opens a cell that never ends")
    return table


class _CountedQuotes:
    """The lines of a file, while their quotation marks are counted."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.quotes = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            self.quotes += line.count('"')
            yield line


def _told_delimiter(file: TextIO) -> tuple[int, str]:
    """Return where the table begins, and the separator that a line before it tells Excel."""
    told = _SEPARATOR_LINE.fullmatch(file.readline().rstrip("\r\n"))
    return (file.tell(), told[1]) if told else (0, "")


def _delimiter(file: TextIO, delimiters: str) -> str:
    """Return what separates most columns that are known by name, else most columns."""

    def named(delimiter: str) -> tuple[int, int]:
        file.seek(0)
        header = next(csv.reader(file, delimiter=delimiter), [])
        return sum(column_key(name) in _KNOWN_NAMES for name in header), len(header)

    return max(delimiters, key=named)


def _csv_rows(columns: Sequence[str], records: Iterator[list[str]]) -> RawTable:
    rows: list[Row] = []
    lines: list[int] = []
    left_out: list[LeftOut] = []
    for line, cells in enumerate(filter(None, records), start=1):
        if any(cell.strip() for cell in cells[len(columns) :]):
            # An unquoted separator has shifted its cells: nobody knows which is which.
            left_out.append(LeftOut(line, "more cells than the header"))
            continue
        rows.append(dict(zip(columns, cells, strict=False)))
        lines.append(line)
    return RawTable(columns, rows, lines, left_out)


def _read_json(path: Path) -> RawTable:
    rows, hint = read_json_rows(path, text_encoding(path))
    columns: dict[str, None] = {}
    for row in rows:
        columns.update(dict.fromkeys(row))
    return RawTable.of(list(columns), rows, hint)


def _read_parquet(path: Path) -> RawTable:
    # Not read_table(): it takes fields out of their structs, and of two equal names leaves one out.
    file = pq.ParquetFile(path)
    schema = file.schema_arrow
    pictures = frozenset(field.name for field in schema if holds_pictures(field))
    # Pictures may be gigabytes, and nobody reads them from here.
    wanted = [part for field in schema for part in _parts_to_read(field, pictures)]
    table = file.read(columns=wanted if pictures else None)
    for place, field in enumerate(table.schema):
        if pa.types.is_float32(field.type) or pa.types.is_float16(field.type):
            table = table.set_column(place, field.name, _as_written(table.column(place)))
    # Pictures without any name leave a table without columns, whose rows must still be counted.
    rows = table.to_pylist() if table.num_columns else [{}] * file.metadata.num_rows
    asked = told_apart(path, rows) if set(TURNS).intersection(schema.names) else rows
    columns = schema.names if asked is rows else [*schema.names, "question", "answer"]
    return RawTable(columns, asked, range(1, len(asked) + 1), pictures=pictures)


def holds_pictures(field: pa.Field) -> bool:
    """Return whether a column of Parquet holds pictures: structs with bytes, or bytes alone."""
    if pa.types.is_struct(field.type):
        return any(_is_bytes(part.type) for part in field.type)
    return _is_bytes(field.type) and column_key(field.name) in _PICTURE_NAMES - {"path", "filename"}


def holds_picture_lists(field: pa.Field) -> bool:
    """Return whether a column of Parquet holds lists of pictures, as chats about some have them."""
    kind = field.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return False
    return holds_pictures(pa.field(field.name, kind.value_type))


def _parts_to_read(field: pa.Field, pictures: frozenset[str]) -> list[str]:
    if field.name not in pictures:
        return [field.name]
    parts = field.type if pa.types.is_struct(field.type) else ()
    return [f"{field.name}.{part.name}" for part in parts if not _is_bytes(part.type)]


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _as_written(column: pa.ChunkedArray) -> pa.Array:
    """Return short floats as their shortest text reads: 0.1, not 0.10000000149."""
    kind = np.float16 if pa.types.is_float16(column.type) else np.float32
    values = [None if v is None else float(str(kind(v))) for v in column.to_pylist()]
    return array_of(values, pa.float64())


_READERS: Final[Mapping[str, Callable[[Path], RawTable]]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".json": _read_json,
    ".jsonl": _read_json,
    ".ndjson": _read_json,
    ".parquet": _read_parquet,
}
