"""Columns of pairs are written as rows of them are, whatever stands in which cells."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from shared.corpus import PAIR_SCHEMA, write_pair_columns, write_pair_rows
from shared.corpus.pair_writing import WRITE_BATCH
from shared.records.column_kinds import ColumnKind
from shared.records.pair_rows import PairRow, columns_of, rows_of

EXTRA = {"colour": ColumnKind.STRING, "price": ColumnKind.NUMBER, "sold": ColumnKind.BOOLEAN}
ROWS = [
    PairRow(
        f"id{n}",
        ("What is it?", 'A "mug", or\nnot?', "Wie heißt das?")[n % 3],
        "red",
        f"{n // 7}.jpg",
        model="m",
        product=None if n % 5 else "P",
        boxes=[[0.0, 1.0, 2.0, 3.5]] if n % 2 else None,
        extra=(("price", n / 4), ("sold", n % 2 == 0)) if n % 3 else (("colour", "blue"),),
    )
    for n in range(500)
]


def as_json(row):
    cells = dict(zip(PairRow._fields, row, strict=True))
    extra = dict(cells.pop("extra"))
    return json.dumps(cells | {name: extra.get(name) for name in EXTRA}, ensure_ascii=False)


def test_a_line_of_json_is_what_json_makes_of_a_row(tmp_path):
    path = tmp_path / "a.jsonl"
    assert (
        write_pair_columns([columns_of(ROWS[:9]), columns_of(ROWS[9:])], path, extra=EXTRA) == 500
    )
    assert path.read_text(encoding="utf-8") == "".join(f"{as_json(row)}\n" for row in ROWS)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_it_is_the_same_file_however_many_rows_come_at_a_time(tmp_path, suffix):
    paths = [tmp_path / f"{name}{suffix}" for name in ("rows", "columns")]
    batches = [columns_of(ROWS[:1]), columns_of([]), columns_of(ROWS[1:])]
    write_pair_rows(ROWS, paths[0], extra=EXTRA)
    write_pair_columns(batches, paths[1], extra=EXTRA)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_file_without_pairs_has_its_columns(tmp_path):
    assert write_pair_columns([columns_of([])], tmp_path / "a.parquet") == 0
    table = pq.read_table(tmp_path / "a.parquet")
    assert (table.num_rows, table.column_names) == (0, PAIR_SCHEMA.names)


def test_parquet_has_no_group_without_rows_behind_full_ones(tmp_path):
    path = tmp_path / "a.parquet"
    write_pair_columns([columns_of(ROWS)] * (WRITE_BATCH // len(ROWS)), path, extra=EXTRA)
    metadata = pq.ParquetFile(path).metadata
    assert (metadata.num_row_groups, metadata.num_rows) == (1, WRITE_BATCH)


def test_columns_are_rows_turned():
    assert list(rows_of(columns_of(ROWS))) == ROWS
