"""The figures behind the report's plots."""

import base64
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from evaluator.answering.attention import pack_attention, unpack_attention
from evaluator.reporting.charts.confusion import confusion
from evaluator.reporting.charts.distributions import BINS, spread
from evaluator.reporting.charts.reliability import reliability
from evaluator.reporting.heat import heat_map, outline
from shared.records import Prediction
from tests.evaluator.predictions import predicted


def sure(answer, confidence, image="a.jpg"):
    return Prediction(predicted(answer, "red", image=image).pair, answer, confidence)


def test_calibration_error_on_a_worked_example():
    # Four answers at 0.95, three right; two at 0.35, none right.
    rows = [sure("red", 0.95)] * 3 + [sure("blue", 0.95)] + [sure("blue", 0.35)] * 2
    found = reliability(rows)
    assert [(one.n, one.accuracy) for one in found.bins] == [(2, 0.0), (4, 0.75)]
    assert found.ece == pytest.approx((2 * 0.35 + 4 * 0.2) / 6)


def test_a_confidence_of_one_is_in_the_last_bin_and_none_is_left_out():
    found = reliability([sure("red", 1.0), sure("red", None)])
    assert found.n == 1
    assert (found.bins[0].low, found.ece) == (0.9, 0.0)
    assert reliability([sure("red", None)]) is None


def test_a_calibrated_model_is_hardly_off():
    generator = np.random.default_rng(3)
    rows = [sure("red" if generator.random() < p else "blue", p) for p in generator.random(20_000)]
    assert reliability(rows).ece < 0.015


def test_shares_of_a_distribution_add_up_and_nan_is_no_score():
    shares = spread(np.array([0.0, 0.02, 0.5, 1.0, 1.0000001, np.nan]))
    assert len(shares) == BINS
    assert sum(shares) == pytest.approx(1)
    assert (shares[0], shares[10], shares[-1]) == (0.4, 0.2, 0.4)


def test_confusion_counts_what_is_said_to_each_reference():
    rows = [
        predicted("Red.", "red"),
        predicted("blue", "red"),
        predicted("green", "red"),
        predicted("blue", "blue"),
    ]
    found = confusion(rows, top=2)
    assert list(found.labels) == ["red", "blue", "(other)"]
    assert [(row.reference, row.n, list(row.counts)) for row in found.rows] == [
        ("red", 3, [1, 1, 1]),
        ("blue", 1, [0, 1, 0]),
    ]


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 500))
def test_an_outline_is_as_long_as_the_region_has_sides(rows, columns, seed):
    region = np.random.default_rng(seed).random((rows, columns)) < 0.5
    sides = sum(
        not (0 <= y + dy < rows and 0 <= x + dx < columns and region[y + dy, x + dx])
        for y, x in np.argwhere(region)
        for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0))
    )
    path = outline(region)
    lengths = [int(part.split("h")[-1].split("v")[-1]) for part in path.split("M")[1:]]
    assert sum(lengths) == sides


def test_the_outline_of_one_patch():
    region = np.zeros((3, 3), np.bool_)
    region[1, 2] = True
    assert outline(region) == "M2 1h1M2 2h1M2 1v1M3 1v1"


def test_a_heat_map_is_a_small_picture_that_is_clear_where_nothing_is(tmp_path):
    values = np.linspace(0, 1, 24 * 24, dtype=np.float32)
    region = values > 0.5
    found = heat_map(unpack_attention(pack_attention(values, region, region)))
    assert (found.rows, found.columns) == (24, 24)
    data = base64.b64decode(found.picture.removeprefix("data:image/png;base64,"))
    assert len(data) < 500
    picture = Image.open(io.BytesIO(data)).convert("RGBA")
    assert picture.size == (24, 24)
    assert picture.getpixel((0, 0))[3] == 0
    assert picture.getpixel((23, 23)) == (255, 20, 20, 215)
