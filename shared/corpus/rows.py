"""Rows of CSV, JSON lines and Parquet files as anyone wrote them, and their cells by field."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.lib
import pyarrow.parquet as pq

from shared.atomic import atomic_path
from shared.boxes import Box, parse_boxes
from shared.errors import InputError
from shared.records import COLUMN_ALIASES

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """What a file holds: its columns and its rows, as they stand there."""

    path: Path
    columns: Sequence[str]
    rows: Sequence[Row]

    def named(self, *needed: str) -> Iterator[Fields]:
        """Yield each row by the field names of ``COLUMN_ALIASES``, in any case.

        Raises:
            InputError: a needed field has no column; ``answers`` may stand for ``answer``.
        """
        by_lower = {str(column).strip().lower(): column for column in reversed(self.columns)}
        names = {
            field: by_lower[alias]
            for field, aliases in COLUMN_ALIASES.items()
            for alias in reversed(aliases)
            if alias in by_lower
        }
        found = names.keys() | ({"answer"} if "answers" in names else set())
        missing = [field for field in needed if field not in found]
        if missing:
            wanted = ", ".join(" or ".join(COLUMN_ALIASES[field]) for field in missing)
            have = ", ".join(map(str, self.columns)) or "none"
            raise InputError(f"{self.path}: no column {wanted}; its columns: {have}")
        for line, row in enumerate(self.rows, start=1):
            yield Fields(self.path, line, row, names)


@dataclass(frozen=True, slots=True)
class Fields:
    """One row, from 1, of a file, read by field; a field without a column is empty."""

    path: Path
    line: int
    row: Row
    names: Mapping[str, str]

    def cell(self, field: str) -> Any:  # noqa: ANN401 (as it is in the file)
        """Return a cell as it is in the file."""
        return self.row.get(self.names[field]) if field in self.names else None

    def text(self, field: str) -> str:
        """Return a cell as text without space around it; "" where there is nothing."""
        value = self.cell(field)
        if isinstance(value, float):
            # A column of whole numbers with a gap in it is one of floats: 2.0 was written for 2.
            value = "" if math.isnan(value) else int(value) if value.is_integer() else value
        return "" if value is None else str(value).strip()

    def number(self, field: str) -> float | None:
        """Return a cell as a number; ``None`` where it holds none."""
        text = self.text(field)
        try:
            return float(text) if text else None
        except ValueError:
            return None

    def truth(self, field: str) -> bool:
        """Return whether a cell says yes."""
        return self.text(field).lower() in {"true", "1"}

    def packed(self, field: str) -> bytes:
        """Return the bytes of a cell; only Parquet holds any."""
        value = self.cell(field)
        return value if isinstance(value, bytes) else b""

    def references(self) -> tuple[str, ...]:
        """Return what stands in ``answers``: a list of texts or of VQA v2's objects.

        Raises:
            InputError: something else stands there.
        """
        value = self.cell("answers")
        if isinstance(value, str):
            try:
                value = json.loads(value) if value.strip() else None
            except ValueError:
                value = False
        if value is None:
            return ()
        if isinstance(value, list):
            found = [one.get("answer") if isinstance(one, dict) else one for one in value]
            texts = [one.strip() for one in found if isinstance(one, str)]
            if len(texts) == len(found):
                return tuple(filter(None, texts))
        raise self.refused('`answers` must be a list of texts such as ["red", "maroon"]')

    def boxes(self) -> tuple[Box, ...]:
        """Return the boxes of a row.

        Raises:
            InputError: the cell holds something else, see ``shared.boxes``.
        """
        try:
            return parse_boxes(self.cell("boxes"))
        except ValueError as error:
            raise self.refused(str(error)) from error

    def refused(self, why: str) -> InputError:
        """Return the error that names this row."""
        return InputError(f"{self.path}: row {self.line}: {why}")


def read_table(path: Path) -> Table:
    """Read a ``.csv``, ``.jsonl`` or ``.parquet`` file.

    Raises:
        InputError: there is no such file, another suffix, or it cannot be read.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; a .csv, .jsonl or .parquet file was expected")
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: cannot tell the format; use .csv, .jsonl or .parquet")
    try:
        return Table(path, *reader(path))
    except (
        OSError,
        UnicodeDecodeError,
        csv.Error,
        ValueError,
        pyarrow.lib.ArrowException,
    ) as error:
        raise InputError(f"{path}: cannot be read ({str(error).splitlines()[0]})") from error


def read_number_columns(path: Path, names: Sequence[str]) -> dict[str, list[float | None]]:
    """Read columns of numbers, such as the metrics beside predictions; ``None`` where empty.

    Raises:
        InputError: the file is unreadable, or a column is missing or holds something else.
    """
    table = read_table(path)
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise InputError(f"{path}: no column {', '.join(missing)}; its columns: {table.columns}")
    try:
        return {
            name: [None if row[name] in {None, ""} else float(row[name]) for row in table.rows]
            for name in names
        }
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: not a number ({error})") from error


def write_csv_rows(columns: Sequence[str], rows: Iterable[Row], path: Path) -> None:
    """Write rows as CSV, whole or not at all.

    Raises:
        InputError: a place that cannot be written.
    """
    with atomic_path(path) as part:
        write_cells(columns, ([row.get(name) for name in columns] for row in rows), part)


def write_cells(columns: Sequence[str], rows: Iterable[Sequence[object]], part: Path) -> int:
    """Write rows of cells as CSV to a file that is being made; return how many."""
    count = 0
    with part.open("w", encoding="utf-8", newline="") as file:
        plain = csv.writer(file, lineterminator="\n")
        # Plain quoting leaves a carriage return bare, and readers end the row there.
        quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        plain.writerow(columns)
        for count, row in enumerate(rows, start=1):  # noqa: B007
            bare_return = any(isinstance(cell, str) and "\r" in cell for cell in row)
            (quoted if bare_return else plain).writerow(row)
    return count


def most_frequent(answers: Sequence[str]) -> str:
    """Return what most people said, the first of those said equally often; "" for nobody."""
    return Counter(answers).most_common(1)[0][0] if answers else ""


def _read_csv(path: Path) -> tuple[list[str], list[Row]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        rows: list[Row] = [dict(row) for row in reader]
        return list(reader.fieldnames or ()), rows


def _read_jsonl(path: Path) -> tuple[list[str], list[Row]]:
    with path.open(encoding="utf-8") as file:
        rows: list[Row] = [json.loads(line) for line in file if line.strip()]
    columns: dict[str, None] = {}
    for row in rows:
        if not isinstance(row, dict):
            raise ValueError("each line must be one JSON object")  # noqa: TRY004
        columns.update(dict.fromkeys(row))
    return list(columns), rows


def _read_parquet(path: Path) -> tuple[list[str], list[Row]]:
    table = pq.read_table(path)
    return table.column_names, table.to_pylist()
