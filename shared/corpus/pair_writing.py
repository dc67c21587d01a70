"""Writes rows of pairs as CSV, JSON lines or Parquet: some thousands at a time, column by column.

To make an object of each row and to ask for its cells by name takes several times as long.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice, repeat
from json.encoder import encode_basestring
from pathlib import Path
from types import NoneType
from typing import Any, Final, cast

import pyarrow as pa
import pyarrow.parquet as pq

from shared.corpus.extra_columns import with_extra
from shared.corpus.rows import write_cells
from shared.errors import InputError
from shared.files.atomic import atomic_path
from shared.records import QAPair
from shared.records.column_kinds import NO_EXTRA, ExtraColumns
from shared.records.pair_rows import PairRow, pair_row

WRITE_BATCH: Final = 10_000
"""Rows in a row group of Parquet."""
_TEXT_BATCH: Final = 2_000
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
    """Write rows as ``.csv``, ``.jsonl`` or ``.parquet``; return how many.

    CSV holds ``csv_columns`` of the fields; the other formats hold every one. ``extra`` are further
    columns of all.

    Raises:
        InputError: another suffix, or a place that cannot be written.
    """
    writers: dict[str, Callable[[ExtraColumns, Iterator[PairRow], Path], int]] = {
        ".csv": partial(_write_csv, csv_columns),
        ".jsonl": _write_jsonl,
        ".parquet": _write_parquet,
    }
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise InputError(f"{path}: cannot tell the format; use .csv, .jsonl or .parquet")
    with atomic_path(path) as part:
        return writer(extra, iter(rows), part)


def pair_table(rows: Sequence[PairRow], extra: ExtraColumns) -> pa.Table:
    """Return rows as one table, its columns those of ``PAIR_SCHEMA`` and the ``extra`` ones."""
    schema = with_extra(PAIR_SCHEMA, extra)
    columns = _columns(rows, extra) if rows else repeat((), len(schema))
    arrays = [pa.array(cells, each.type) for cells, each in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _columns(rows: Sequence[PairRow], extra: ExtraColumns) -> Sequence[Sequence[Any]]:
    """Return the columns of rows; ``None`` stands where a pair has nothing in a further one."""
    *columns, further = zip(*rows, strict=True)
    if extra:
        named = [dict(cells) for cells in further]
        columns += [tuple(cells.get(name) for cells in named) for name in extra]
    return columns


def _batches(rows: Iterator[PairRow], size: int) -> Iterator[list[PairRow]]:
    while batch := list(islice(rows, size)):
        yield batch


def _write_csv(
    csv_columns: Sequence[str], extra: ExtraColumns, rows: Iterator[PairRow], part: Path
) -> int:
    names = [*csv_columns, *extra]
    places = [[*PAIR_SCHEMA.names, *extra].index(name) for name in names]

    def cells() -> Iterator[Sequence[object]]:
        for batch in _batches(rows, _TEXT_BATCH):
            columns = _columns(batch, extra)
            yield from zip(*(columns[place] for place in places), strict=True)

    return write_cells(names, cells(), part)


def _write_jsonl(extra: ExtraColumns, rows: Iterator[PairRow], part: Path) -> int:
    names = [*PAIR_SCHEMA.names, *extra]
    heads = (json.dumps(name, ensure_ascii=False).replace("%", "%%") for name in names)
    line = "{" + ", ".join(f"{head}: %s" for head in heads) + "}\n"
    count = 0
    with part.open("w", encoding="utf-8") as file:
        for batch in _batches(rows, _TEXT_BATCH):
            count += len(batch)
            columns = map(_json_texts, _columns(batch, extra))
            file.writelines(map(line.__mod__, zip(*columns, strict=True)))
    return count


def _json_texts(cells: Sequence[object]) -> Iterable[str]:
    """Return each cell of a column as ``json.dumps`` writes it."""
    kinds = set(map(type, cells))
    if kinds == {str}:
        return map(encode_basestring, cast("Sequence[str]", cells))
    if kinds == {NoneType}:
        return repeat("null", len(cells))
    return map(_DUMPED, cells)


def _write_parquet(extra: ExtraColumns, rows: Iterator[PairRow], part: Path) -> int:
    count = 0
    with pq.ParquetWriter(part, with_extra(PAIR_SCHEMA, extra)) as writer:
        for batch in _batches(rows, WRITE_BATCH):
            writer.write_table(pair_table(batch, extra))
            count += len(batch)
        if not count % WRITE_BATCH:
            writer.write_table(pair_table((), extra))
    return count
