"""Where a model looked: packed small, and the same when unpacked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.answering.attention import overlap_with_boxes, pack_attention, unpack_attention
from evaluator.answering.replica import Replica
from evaluator.metrics.meaning.vtgs import jaccard
from shared.corpus import read_predictions, write_predictions
from shared.records import Question
from shared.records.boxes import Box
from tests.evaluator.predictions import predicted
from tests.evaluator.replicas import settings_for


@given(st.integers(1, 24), st.integers(0, 1000))
def test_what_is_packed_comes_back(side, seed):
    generator = np.random.default_rng(seed)
    values = generator.random(side * side, dtype=np.float32)
    answer, question = generator.random((2, side * side)) < 0.3
    data = pack_attention(values, answer, question)
    assert len(data) == 2 + side * side + 2 * -(-side * side // 8)
    found = unpack_attention(data)
    assert np.array_equal(found.answer_region_RC.ravel(), answer)
    assert np.array_equal(found.question_region_RC.ravel(), question)
    assert found.answer_map_RC.max() == 255
    scaled = found.answer_map_RC.ravel() / 255
    assert np.abs(scaled - values / values.max()).max() <= 0.5 / 15 + 1e-6


def test_an_empty_map_is_black_and_another_grid_is_left_out():
    nothing = np.zeros(9, np.float32)
    none = np.zeros(9, np.bool_)
    assert unpack_attention(pack_attention(nothing, none, none)).answer_map_RC.max() == 0
    assert pack_attention(nothing[:8], none[:8], none[:8]) == b""


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x03\x03\x00"])
def test_other_bytes_are_no_attention(data):
    assert unpack_attention(data) is None


def test_the_stored_regions_are_those_that_vtgs_compares(tiny_model, pictures, tmp_path):
    folder, pairs = pictures
    replica = Replica(settings_for(tiny_model, folder, measure_grounding=True))
    questions = [Question(pair.id, pair.question, pair.filename) for pair in pairs[:8]]
    for reply in replica.answer(questions):
        seen = unpack_attention(reply.attention)
        regions = (seen.answer_region_RC.ravel()[None], seen.question_region_RC.ravel()[None])
        assert jaccard(*regions)[0] == pytest.approx(reply.grounding)
        # A region is where the map is strongest.
        inside = seen.answer_map_RC[seen.answer_region_RC]
        outside = seen.answer_map_RC[~seen.answer_region_RC]
        assert not outside.size or not inside.size or inside.min() >= outside.max()


def test_the_answers_region_is_held_against_the_boxes():
    region = np.zeros((4, 4), np.bool_)
    region[:2, :2] = True
    packed = pack_attention(region.ravel().astype(np.float32), region.ravel(), ~region.ravel())
    assert overlap_with_boxes(packed, [Box(0, 0, 0.5, 0.5)]) == 1
    assert overlap_with_boxes(packed, [Box(0, 0, 1, 0.5)]) == 0.5
    assert overlap_with_boxes(packed, [Box(0, 0, 0.25, 0.25), Box(0.25, 0, 0.5, 0.25)]) == 0.5
    assert overlap_with_boxes(packed, [Box(0.5, 0.5, 1, 1)]) == 0
    assert overlap_with_boxes(packed, []) is None
    assert overlap_with_boxes(b"", [Box(0, 0, 1, 1)]) is None


def test_parquet_keeps_the_bytes_and_csv_leaves_them_out(tmp_path):
    row = predicted("red", "red")
    rows = [row, type(row)(row.pair, "blue", attention=bytes(range(256)))]
    write_predictions(rows, tmp_path / "a.parquet", {})
    assert read_predictions(tmp_path / "a.parquet") == rows
    write_predictions(rows, tmp_path / "a.csv", {})
    assert "attention" not in (tmp_path / "a.csv").read_text().splitlines()[0]
