"""Numbers that are spelled out."""

import numpy as np
import pytest

from evaluator.metrics.meaning.csns import csns, parse_number, parse_number_or_word
from evaluator.metrics.meaning.number_words import spelled_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("two", 2),
        ("Zero.", 0),
        ("nineteen", 19),
        ("Twenty-one", 21),
        ("twenty one", 21),
        ("ninety", 90),
        ("a hundred", 100),
        ("one hundred and five", 105),
        ("two thousand three hundred", 2300),
        ("a thousand", 1000),
        ("a dozen", 12),
    ],
)
def test_numbers_are_read(text, number):
    assert spelled_number(text) == number


@pytest.mark.parametrize("text", ["", "two shoes", "a", "and", "twenty ten", "one zero", "none"])
def test_other_texts_are_no_numbers(text):
    assert spelled_number(text) is None


def test_number_words_count_only_where_asked_for():
    answers, references, cosines = ["two", "3"], ["2", "four"], np.array([0.25, 0.5])
    assert csns(answers, references, cosines) == pytest.approx([0.25, 0.5])
    assert parse_number("two") is None
    assert csns(answers, references, cosines, number=parse_number_or_word) == pytest.approx(
        [1, np.exp(-1.25)], abs=1e-6
    )
