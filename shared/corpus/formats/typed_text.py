"""Numbers and truth values that pandas wrote as text: 2.0 for 2 where its column has a gap."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from shared.corpus.formats.tables import RawTable, Row
from shared.program.reporting.event_log import EventLog

_TEXT_SUFFIXES: Final = frozenset({".csv", ".tsv"})
_WHOLE: Final = re.compile(r"(-?\d+)\.0+")
_TRUTHS: Final = {"True": "yes", "False": "no"}
log = EventLog(__name__)


def with_typed_answers(path: Path, raw: RawTable, names: Mapping[str, str]) -> RawTable:
    """Return a table of text whose answers read as those of JSON or Parquet do.

    Where every answer is a whole number with a point, or every one is True or False, each such
    cell, among predictions too, becomes the number or "yes" and "no"; other columns stay.
    """
    column = names.get("answer")
    if column is None or path.suffix.lower() not in _TEXT_SUFFIXES:
        return raw
    given = [answer for row in raw.rows if (answer := (row.get(column) or "").strip())]
    read = next((read for read in (_whole, _truth) if given and all(map(read, given))), None)
    if read is None:
        return raw
    log.info("answers_read_as_values", file=path.name, such_as=f"{given[0]}: {read(given[0])}")
    columns = [column, *(names[field] for field in ("prediction",) if field in names)]
    return replace(raw, rows=[{**row, **_read(row, columns, read)} for row in raw.rows])


def _read(row: Row, columns: list[str], read: Callable[[str], str]) -> dict[str, str]:
    cells = {name: (row[name] or "").strip() for name in columns if name in row}
    return {name: read(cell) or cell for name, cell in cells.items()}


def _whole(text: str) -> str:
    number = _WHOLE.fullmatch(text)
    return number[1] if number else ""


def _truth(text: str) -> str:
    return _TRUTHS.get(text.capitalize(), "")
