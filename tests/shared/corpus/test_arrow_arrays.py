"""Arrays for tables are those that pyarrow makes, without pandas, which takes time to import."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest

from shared.corpus.formats.arrow_arrays import array_of

WRITTEN = """
import sys
from pathlib import Path
from shared.corpus import write_pair_rows
from shared.corpus.predictions import read_predictions, write_predictions
from shared.records import Prediction, QAPair
from shared.records.pair_rows import pair_row
folder = Path(sys.argv[1])
pair = QAPair("1", "what is it?", "red", "1.jpg", answers=("red", "blue"))
rows = [Prediction(pair, "blue", confidence=0.5), Prediction(pair, "red", broken_image=True)]
for suffix in ("csv", "parquet"):
    path = folder / f"rows.{suffix}"
    write_predictions(rows, path, {"exact_match": [0.0, float("nan")]})
    assert read_predictions(path) == rows
    write_pair_rows([pair_row(pair)], folder / f"pairs.{suffix}")
print("pandas" in sys.modules)
"""


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        (pa.string(), ["red", None, "", "größer", "a" * 300]),
        (pa.string(), []),
        (pa.string(), [None, None]),
        (pa.float64(), [0.5, None, float("nan"), 3, float("inf")] * 3),
        (pa.float64(), [1.0, 2.0]),
        (pa.bool_(), [True, False, None] * 7),
        (pa.bool_(), [False]),
        (pa.list_(pa.float64()), [[1.0, 2.0], None, []]),
        (pa.binary(), [b"a", b""]),
    ],
)
def test_an_array_is_the_one_that_pyarrow_makes(kind, cells):
    array, theirs = array_of(cells, kind), pa.array(cells, kind)
    array.validate(full=True)
    assert array.type == theirs.type
    assert array.null_count == theirs.null_count
    # Not ``equals``: of its own NaN it says no.
    assert repr(array.to_pylist()) == repr(theirs.to_pylist())


@pytest.mark.parametrize(
    ("kind", "cells"), [(pa.string(), ["red", 3]), (pa.float64(), ["red"])], ids=str
)
def test_a_cell_of_another_kind_is_refused(kind, cells):
    with pytest.raises((TypeError, ValueError, pa.ArrowException)):
        array_of(cells, kind)


def test_writing_rows_imports_no_pandas(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", WRITTEN, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ended.stdout.split() == ["False"], ended.stderr
