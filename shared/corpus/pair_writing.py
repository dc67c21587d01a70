"""Writes pairs as CSV, JSON lines or Parquet: some thousands at a time, column by column.

To make an object of each and to ask for its cells by name takes several times as long. Most columns
hold the same in all rows, or few things often: such cells are made once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice, repeat
from json.encoder import encode_basestring
from pathlib import Path
from types import NoneType
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from shared.corpus.csv_writing import write_columns
from shared.corpus.extra_columns import with_extra
from shared.corpus.formats.arrow_arrays import array_of
from shared.errors import InputError
from shared.files.atomic import atomic_path
from shared.records import QAPair
from shared.records.column_kinds import NO_EXTRA, ExtraColumns
from shared.records.pair_rows import PairColumns, PairRow, columns_of, pair_row

WRITE_BATCH: Final = 10_000
"""Rows in a row group of Parquet."""
_BATCH: Final = 2_000
_LINES: Final = 200
"""Lines of JSON that are written at once."""
_OFTEN: Final = 4
"""Times that each text stands in a column, on average, from which on it is encoded once."""
_PLAIN: Final = (str, NoneType)
_DUMPED: Final = json.JSONEncoder(ensure_ascii=False).encode
PAIR_SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("filename", pa.string()),
        ("split", pa.string()),
        ("difficulty", pa.string()),
        ("model", pa.string()),
        ("prompt_version", pa.string()),
        ("listing_id", pa.string()),
        ("agreement", pa.string()),
        ("answers", pa.string()),
        ("second_answer", pa.string()),
        ("second_opinion", pa.string()),
        ("label_review", pa.string()),
        ("label_before_review", pa.string()),
        ("label_sample", pa.string()),
        ("boxes", pa.list_(pa.list_(pa.float64()))),
        ("domain", pa.string()),
        ("product", pa.string()),
        ("unit_id", pa.string()),
    ]
)
CSV_PAIR_COLUMNS: Final = ("id", "question", "answer", "filename")


def write_pairs(
    pairs: Iterable[QAPair],
    path: Path,
    *,
    csv_columns: Sequence[str] = CSV_PAIR_COLUMNS,
    extra: ExtraColumns = NO_EXTRA,
) -> int:
    """Write pairs as ``write_pair_rows`` writes their rows; return how many."""
    return write_pair_rows(map(pair_row, pairs), path, csv_columns=csv_columns, extra=extra)


def write_pair_rows(
    rows: Iterable[PairRow],
    path: Path,
    *,
    csv_columns: Sequence[str] = CSV_PAIR_COLUMNS,
    extra: ExtraColumns = NO_EXTRA,
) -> int:
    """Write rows as ``write_pair_columns`` writes their columns; return how many."""
    batches = map(columns_of, _batches(iter(rows)))
    return write_pair_columns(batches, path, csv_columns=csv_columns, extra=extra)


def write_pair_columns(
    batches: Iterable[PairColumns],
    path: Path,
    *,
    csv_columns: Sequence[str] = CSV_PAIR_COLUMNS,
    extra: ExtraColumns = NO_EXTRA,
) -> int:
    """Write pairs, some at a time, as ``.csv``, ``.jsonl`` or ``.parquet``; return how many.

    CSV holds ``csv_columns`` of the fields; the other formats hold every one. ``extra`` are further
    columns of all.

    Raises:
        InputError: another suffix, or a place that cannot be written.
    """
    writers: dict[str, Callable[[ExtraColumns, Iterator[PairColumns], Path], int]] = {
        ".csv": partial(_write_csv, csv_columns),
        ".jsonl": _write_jsonl,
        ".parquet": _write_parquet,
    }
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise InputError(f"{path}: cannot tell the format; use .csv, .jsonl or .parquet")
    with atomic_path(path) as part:
        filled = (_with_extra(columns, extra) for columns in batches if columns[0])
        return writer(extra, filled, part)


def pair_table(rows: Sequence[PairRow], extra: ExtraColumns) -> pa.Table:
    """Return rows as one table, its columns those of ``PAIR_SCHEMA`` and the ``extra`` ones."""
    return _table(_with_extra(columns_of(rows), extra), with_extra(PAIR_SCHEMA, extra))


def _table(columns: PairColumns, schema: pa.Schema) -> pa.Table:
    arrays = [_array(cells, each.type) for cells, each in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(cells: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if _are_alike(cells):
        return pa.repeat(array_of(cells[:1], kind)[0], len(cells))
    return array_of(cells, kind)


def _are_alike(cells: Sequence[Any]) -> bool:
    """Return whether cells are one text, or all empty; numbers, which equal others, never are."""
    return bool(cells) and isinstance(cells[0], _PLAIN) and cells.count(cells[0]) == len(cells)


def _with_extra(columns: PairColumns, extra: ExtraColumns) -> PairColumns:
    """Return columns with the last parted; ``None`` stands where a pair has nothing in one."""
    *own, further = columns
    named = [dict(cells) for cells in further] if extra else []
    return [*own, *([cells.get(name) for cells in named] for name in extra)]


def _batches(rows: Iterator[PairRow]) -> Iterator[list[PairRow]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _write_csv(
    csv_columns: Sequence[str], extra: ExtraColumns, batches: Iterator[PairColumns], part: Path
) -> int:
    names = [*csv_columns, *extra]
    places = [[*PAIR_SCHEMA.names, *extra].index(name) for name in names]
    chosen = ([columns[place] for place in places] for columns in batches)
    return write_columns(names, chosen, part)


def _write_jsonl(extra: ExtraColumns, batches: Iterator[PairColumns], part: Path) -> int:
    names = [*PAIR_SCHEMA.names, *extra]
    heads = [f"{', ' * bool(place)}{_DUMPED(name)}: " for place, name in enumerate(names)]
    count = 0
    with part.open("wb") as file:
        for columns in batches:
            count += len(columns[0])
            parts = zip(*_json_parts(heads, columns), strict=True)
            # Not all at once, or each time memory comes from the system and goes back to it.
            while lines := "".join(chain.from_iterable(islice(parts, _LINES))):
                file.write(lines.encode())
    return count


def _json_parts(heads: Sequence[str], columns: PairColumns) -> list[Iterable[str]]:
    """Return what lines are made of: texts of all rows, of which some are cells."""
    parts: list[Iterable[str]] = []
    count = len(columns[0])
    text = "{"
    for head, cells in zip(heads, columns, strict=True):
        text += head
        if _are_alike(cells):
            text += _DUMPED(cells[0])
        else:
            parts += [repeat(text, count), _json_texts(cells)]
            text = ""
    parts.append(repeat(f"{text}}}\n", count))
    return parts


def _json_texts(cells: Sequence[Any]) -> Iterable[str]:
    """Return each cell of a column as ``json.dumps`` writes it."""
    kinds = set(map(type, cells))
    if not kinds <= {str, NoneType}:
        return map(_DUMPED, cells)
    different = set(cells)
    if _OFTEN * len(different) <= len(cells):
        return map({cell: _DUMPED(cell) for cell in different}.__getitem__, cells)
    return map(encode_basestring if NoneType not in kinds else _DUMPED, cells)


def _write_parquet(extra: ExtraColumns, batches: Iterator[PairColumns], part: Path) -> int:
    schema = with_extra(PAIR_SCHEMA, extra)
    count = 0
    rest = _table([()] * len(schema), schema)
    with pq.ParquetWriter(part, schema) as writer:
        for columns in batches:
            count += len(columns[0])
            rest = pa.concat_tables([rest, _table(columns, schema)])
            while rest.num_rows >= WRITE_BATCH:
                writer.write_table(rest.slice(0, WRITE_BATCH))
                rest = rest.slice(WRITE_BATCH)
        if rest.num_rows or not count:
            writer.write_table(rest)
    return count
