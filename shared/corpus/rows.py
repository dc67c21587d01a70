"""Rows of files as anyone wrote them, and their cells by field."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.corpus.csv_writing import write_cells
from shared.corpus.formats.cells import (
    cell_text,
    file_name,
    looks_listed,
    reference_texts,
    shown,
)
from shared.corpus.formats.choices import with_chosen_answers
from shared.corpus.formats.embedded import picture_bytes, with_named_pictures
from shared.corpus.formats.tables import LeftOut, RawTable, Row, read_raw
from shared.corpus.formats.typed_text import with_typed_answers
from shared.errors import InputError
from shared.files.atomic import atomic_path
from shared.files.embedded_pictures import picture_name
from shared.program.reporting.event_log import EventLog
from shared.records import COLUMN_ALIASES
from shared.records.boxes import Box, parse_boxes
from shared.records.columns import ColumnNames, chosen_columns, columns_text
from shared.value_class import value_class

NO_COLUMNS: Final[ColumnNames] = {}
"""Every column goes by a name that is known."""
_CORE: Final = frozenset({"question", "answer", "answers", "prediction"})
NAMES_SHOWN: Final = 4
"""Names of a missing column that a message shows."""
log = EventLog(__name__)


@dataclass(frozen=True)
class Table:
    """What a file holds, and which of its columns holds which field."""

    path: Path
    raw: RawTable
    names: Mapping[str, str]

    @property
    def rows(self) -> Iterator[Fields]:
        """Yield each row, to be read by field."""
        for line, row in zip(self.raw.lines, self.raw.rows, strict=True):
            yield Fields(self.path, line, row, self.names, self.raw.pictures)


@value_class
class Fields:
    """One row, from 1, of a file, read by field; a field without a column is empty."""

    path: Path
    line: int
    row: Row
    names: Mapping[str, str]
    pictures: frozenset[str]

    def cell(self, field: str) -> Any:  # noqa: ANN401 (as it is in the file)
        """Return a cell as it is in the file."""
        return self.row.get(self.names[field]) if field in self.names else None

    def text(self, field: str) -> str:
        """Return a cell as text without space around it; "" where there is nothing.

        Raises:
            InputError: the cell holds what is no text, see ``shared.corpus.formats.cells``.
        """
        # A file of 50,000 rows is asked for a million cells, of which most are texts or not there.
        column = self.names.get(field)
        value = None if column is None else self.row.get(column)
        if isinstance(value, str):
            return value.strip()
        if value is None:
            return ""
        try:
            return cell_text(value)
        except ValueError as error:
            way_out = "" if field in _CORE else f"; --columns {field}= does without the column"
            raise self.refused(f"column {self.names[field]} {error}{way_out}") from error

    def word(self, field: str, known: Sequence[str]) -> str:
        """Return a cell that holds one of the words ``known``, in any case; "" for an empty one.

        Raises:
            InputError: it holds something else.
        """
        word = self.text(field).lower()
        if word and word not in known:
            raise self.refused(
                f"column {self.names[field]} holds {shown(self.cell(field))}; use "
                f"{', '.join(known)}, or give --columns {field}= to do without it"
            )
        return word

    def filename(self) -> str:
        """Return the name of the picture; "" where there is none.

        Raises:
            InputError: the cell holds the picture itself, or something else.
        """
        column = self.names.get("filename", "")
        try:
            name, why = file_name(self.cell("filename")), ""
        except ValueError as error:
            name, why = "", str(error)
        if column in self.pictures and not name:
            why = _pictures_text(self.path)
        if why:
            raise self.refused(f"column {column} {why}")
        return name

    def number(self, field: str) -> float | None:
        """Return a cell as a finite number; ``None`` where it holds none."""
        cell = self.cell(field)
        if isinstance(cell, float):
            return cell if math.isfinite(cell) else None
        text = cell.strip() if isinstance(cell, str) else self.text(field)
        try:
            number = float(text) if text else None
        except ValueError:
            return None
        return number if number is not None and math.isfinite(number) else None

    def truth(self, field: str) -> bool:
        """Return whether a cell says yes."""
        cell = self.cell(field)
        if cell is None or isinstance(cell, bool):
            return bool(cell)
        return self.text(field).lower() in {"true", "1", "yes"}

    def packed(self, field: str) -> bytes:
        """Return the bytes of a cell; only Parquet holds any."""
        value = self.cell(field)
        return value if isinstance(value, bytes) else b""

    def answer_and_references(self) -> tuple[str, tuple[str, ...]]:
        """Return the reference and, where several people were asked, what each one said.

        Without a single answer it is what most people said. A list in the column of the answer
        is what several people said.

        Raises:
            InputError: a cell holds what is no answer.
        """
        if not looks_listed(self.cell("answer")):
            several = self._references("answers")
            return self.text("answer") or most_frequent(several), several
        listed = self._references("answer")
        several = self._references("answers") or (listed if len(listed) > 1 else ())
        return most_frequent(listed) or most_frequent(several), several

    def _references(self, field: str) -> tuple[str, ...]:
        if field not in self.names:
            return ()
        try:
            return reference_texts(self.cell(field))
        except ValueError as error:
            raise self.refused(f"column {self.names[field]} {error}") from error

    def boxes(self) -> tuple[Box, ...]:
        """Return the boxes of a row.

        Raises:
            InputError: the cell holds something else, see ``shared.records.boxes``.
        """
        if "boxes" not in self.names:
            return ()
        try:
            return parse_boxes(self.cell("boxes"))
        except ValueError as error:
            raise self.refused(f"{error}; --columns boxes= does without them") from error

    def refused(self, why: str) -> InputError:
        """Return the error that names this row."""
        return InputError(f"{self.path}: row {self.line}: {why}")


def _pictures_text(path: Path) -> str:
    return (
        "holds pictures, not names; leave --images out, or "
        f"`evaluator unpack --data {path} --out DIR` saves each as a file and names it in a column "
        "`filename`"
    )


def read_table(path: Path, needed: Sequence[str], named: ColumnNames = NO_COLUMNS) -> Table:
    """Read a file of rows, see ``shared.corpus.formats.tables``.

    Args:
        path: a CSV, JSON or Parquet file.
        needed: fields that must have a column; ``answers`` may stand for ``answer``.
        named: columns that go by no name that is known.

    Raises:
        InputError: it cannot be read, or a needed or named column is missing.
    """
    raw = read_raw(path)
    if not any(str(name).strip() for name in raw.columns) and not raw.rows:
        raise InputError(f"{path}: is empty: it has no column and no row")
    names = chosen_columns(path, raw.columns, raw.rows, named)
    there = names.keys() | ({"answer"} if "answers" in names else set())
    missing = [field for field in needed if field not in there]
    if missing:
        wanted = "; no column ".join(_names_of(field) for field in missing)
        have = columns_text(raw.columns)
        way_out = raw.hint or f"say which it is with --columns {missing[0]}=NAME"
        raise InputError(f"{path}: no column {wanted}; its columns: {have}; {way_out}")
    pictures = names.get("filename", "")
    if any(picture_bytes(row.get(pictures)) for row in raw.rows):
        raw = with_named_pictures(raw, pictures, picture_name)
    if "answer" in needed:
        raw = with_typed_answers(path, raw, names)
        # A field that is said to have no column.
        raw = raw if named.get("choices") == "" else with_chosen_answers(path, raw, names)
    return Table(path, raw, names)


def _names_of(field: str) -> str:
    """Return the first names that a field's column may have."""
    names = COLUMN_ALIASES[field]
    return " or ".join(names[:NAMES_SHOWN]) + (" ..." if len(names) > NAMES_SHOWN else "")


def say_left_out(path: Path, left_out: Sequence[LeftOut]) -> None:
    """Say how many rows are not used, and why: a line for each reason."""
    for reason, (rows, first) in left_out_by_reason(left_out).items():
        log.warning("rows_left_out", file=path.name, reason=reason, rows=rows, first_row=first)


def left_out_by_reason(left_out: Sequence[LeftOut]) -> dict[str, tuple[int, int]]:
    """Return, for each reason, how many rows are left out for it and the first of them."""
    counts = Counter(row.reason for row in left_out)
    first = {row.reason: row.row for row in reversed(left_out)}
    return {reason: (count, first[reason]) for reason, count in counts.items()}


def require_some(
    path: Path, rows: Sequence[object], left_out: Sequence[LeftOut], what: str
) -> None:
    """Check that a file holds a row that can be used.

    Raises:
        InputError: it holds none, or all are left out.
    """
    if rows:
        return
    why = "; ".join(
        f"{count:,} left out: {reason} (first: row {first})"
        for reason, (count, first) in left_out_by_reason(left_out).items()
    )
    raise InputError(f"{path}: holds no {what}" + (f" that can be used ({why})" if why else ""))


def say_repeated_ids(path: Path, rows: Iterable[tuple[str, str, str]]) -> None:
    """Say that an id stands for several rows: it may be the image's.

    Args:
        path: the file.
        rows: the id, image and question of each row that has an id of its own.
    """
    about: dict[str, tuple[str, str]] = {}
    repeated: set[str] = set()
    for row_id, image, question in rows:
        if about.setdefault(row_id, (image, question)) != (image, question):
            repeated.add(row_id)
    if repeated:
        log.warning(
            "ids_repeat",
            file=path.name,
            ids=len(repeated),
            first=min(repeated),
            rows_are_told_apart_by="image and question",
        )


def number_columns(
    path: Path, table: RawTable, names: Sequence[str]
) -> dict[str, list[float | None]]:
    """Return columns of numbers, such as the metrics beside predictions; ``None`` where empty.

    Raises:
        InputError: a column is missing or holds something else.
    """
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise InputError(
            f"{path}: no column {', '.join(missing)}; its columns: {columns_text(table.columns)}"
        )
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
        cells = ([_written(row.get(name)) for name in columns] for row in rows)
        write_cells(columns, cells, part)


def _written(cell: object) -> object:
    """Return a list or a struct as JSON, which is how it is read again."""
    if isinstance(cell, list | dict):
        return json.dumps(cell, ensure_ascii=False, default=str)
    return None if isinstance(cell, bytes) else cell


def most_frequent(answers: Sequence[str]) -> str:
    """Return what most people said, the first of those said equally often; "" for nobody."""
    return Counter(answers).most_common(1)[0][0] if answers else ""
