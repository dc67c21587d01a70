"""Whatever a file of questions and answers holds, it is read or refused in one short line."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.corpus import read_pair_table, read_prediction_table, read_questions, read_whole_pairs
from shared.dataset.opening import data_with_pictures
from shared.errors import InputError

NAMES = st.sampled_from(
    [
        *("id", "index", "question", "answer", "answers", "prediction", "filename", "image"),
        *("split", "choices", "A", "product", "doc", "messages", "conversations", "boxes"),
    ]
)
PICTURE = "iVBORw0KGgo=" + "A" * 200
CELLS = st.one_of(
    st.sampled_from(
        (
            *("", ".", "a.jpg", "1", "1.0", "[]", '["red"]', "['red' 'blue']", "[None]", "{}"),
            *("data:image/png;base64,", PICTURE, "nan", "TRUE", "\x00", "\n", "x" * 5_000, "Val"),
        )
    ),
    st.sampled_from(
        (
            *(None, True, 0, -1, 2**70, float("nan"), [], {}, [["red"]], [None], {"answer": "x"}),
            *([{}], {"bytes": "AAAA", "path": None}, [{"from": "human", "value": "<image>\nq?"}]),
        )
    ),
)
ROWS = st.lists(st.dictionaries(NAMES, CELLS, max_size=6), min_size=1, max_size=3)
READERS = (
    *(read_pair_table, read_whole_pairs, read_prediction_table, read_questions),
    data_with_pictures,
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ABO_VQA_CACHE", str(tmp_path / "cache"))


def refused(read, path) -> str:
    try:
        read(path)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("is_lines", [True, False])
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS)
@example(rows=[{"image": PICTURE, "index": {"a": "b"}}])
@example(rows=[{"question": "q?", "answer": "a", "image": "a.jpg", "split": "x" * 5_000}])
def test_any_rows_are_read_or_refused(tmp_path, is_lines, rows):
    path = tmp_path / f"t.json{'l' if is_lines else ''}"
    path.write_text("\n".join(map(json.dumps, rows)) if is_lines else json.dumps(rows))
    for read in READERS:
        refusal = refused(read, path)
        assert "\n" not in refusal
        assert len(refusal) < 1_500
