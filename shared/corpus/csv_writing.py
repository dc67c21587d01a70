"""Writes rows of cells as CSV, as ``csv.writer`` quotes them, and so that a return ends no row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from types import NoneType
from typing import Any, Final

_WRITTEN_AT_ONCE: Final = 2_000
_QUOTED: Final = '",\n'
_TEXTS: Final = frozenset({str, NoneType})


def write_cells(columns: Sequence[str], rows: Iterable[Sequence[object]], part: Path) -> int:
    """Write rows of cells as CSV to a file that is being made; return how many."""
    left = iter(rows)
    batches = iter(lambda: list(islice(left, _WRITTEN_AT_ONCE)), [])
    return write_columns(columns, (list(zip(*rows, strict=True)) for rows in batches), part)


def write_columns(
    columns: Sequence[str], batches: Iterable[Sequence[Sequence[Any]]], part: Path
) -> int:
    """Write the same of rows that are given by column, some at a time; return how many."""
    count = 0
    with part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(columns)
        for batch in batches:
            file.write(csv_lines(batch))
            count += len(batch[0])
    return count


def csv_lines(columns: Sequence[Sequence[Any]]) -> str:
    """Return the rows of columns as lines of CSV.

    Texts are looked through column by column, for ``csv`` looks at each character of each and takes
    twice as long. pyarrow's writer takes a third of this, but quotes every text, and so makes a
    difference between none and an empty one.
    """
    written = list(map(_written, columns)) if len(columns) > 1 else [None]
    texts = [cells for cells in written if cells is not None]
    if len(texts) < len(written):
        return _by_rows(list(zip(*columns, strict=True)))
    lines = list(map(",".join, zip(*texts, strict=True)))
    return "\n".join([*lines, ""])


def _written(cells: Sequence[Any]) -> Sequence[str] | None:
    """Return the cells as they are written; ``None`` where they are not all plain texts."""
    kinds = set(map(type, cells))
    if not kinds <= _TEXTS:
        return None
    texts: Sequence[str] = cells if NoneType not in kinds else [cell or "" for cell in cells]
    whole = "".join(texts)
    if "\r" in whole:
        return None
    if not any(mark in whole for mark in _QUOTED):
        return texts
    return [_quoted(text) if any(mark in text for mark in _QUOTED) else text for text in texts]


def _quoted(text: str) -> str:
    return '"{}"'.format(text.replace('"', '""'))


def _by_rows(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    plain = csv.writer(text, lineterminator="\n")
    plain.writerows(rows)
    if "\r" not in text.getvalue():
        return text.getvalue()
    text.seek(0)
    text.truncate()
    # Plain quoting leaves a carriage return bare, and readers end the row there.
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        bare_return = any(isinstance(cell, str) and "\r" in cell for cell in row)
        (quoted if bare_return else plain).writerow(row)
    return text.getvalue()
