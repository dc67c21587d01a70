"""CSNS against the report's equations in plain Python."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.metrics.meaning.csns import csns, parse_number
from shared.questions.answers import normalise


def plain_csns(answer: str, reference: str, cosine: float) -> float:
    try:
        p, a = float(normalise(answer)), float(normalise(reference))
    except ValueError:
        return max(0.0, cosine)
    if not (math.isfinite(p) and math.isfinite(a)):
        return max(0.0, cosine)
    return math.exp(-5 * abs(p - a) / (abs(a) + 1e-6))


ANSWERS = st.one_of(
    st.integers(0, 120).map(str),
    st.sampled_from(["nan", "inf", "-Infinity", "two", "3.5", "1e3", "", "red", "9" * 400, " 7 "]),
)
COSINES = st.floats(-1, 1)


@given(st.lists(st.tuples(ANSWERS, ANSWERS, COSINES), max_size=8))
def test_csns_equals_the_equations(rows):
    answers, references = [row[0] for row in rows], [row[1] for row in rows]
    cosines = np.array([row[2] for row in rows], dtype=np.float64)
    expected = [plain_csns(*row) for row in rows]
    assert csns(answers, references, cosines) == pytest.approx(expected, abs=1e-12)


def test_worked_examples():
    # |3 - 4| / 4 = 0.25; exp(-1.25)
    scores = csns(["3", "4", "0", "1"], ["4", "4", "0", "0"], np.zeros(4))
    assert scores == pytest.approx([math.exp(-1.25), 1, 1, 0], abs=1e-6)


@pytest.mark.parametrize("text", ["nan", "inf", "Infinity", "-inf", "two", "", "1 2", "9" * 400])
def test_only_finite_numbers_are_numbers(text):
    assert parse_number(text) is None


@pytest.mark.parametrize(("text", "number"), [(" 4. ", 4), ("3.5", 35), ("-5", 5), ("1e3", 1000)])
def test_numbers_are_read_after_normalisation(text, number):
    assert parse_number(text) == number


def test_a_negative_cosine_scores_zero_and_rounding_never_exceeds_one():
    assert csns(["a", "b"], ["c", "b"], np.array([-0.3, 1.0000001])).tolist() == [0.0, 1.0]
