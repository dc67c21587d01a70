"""The metrics that need no model, against worked examples and slow plain Python."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.metrics.texts.exact_match import exact_match
from evaluator.metrics.texts.levenshtein import levenshtein
from evaluator.metrics.texts.substring import substring
from evaluator.metrics.texts.token_f1 import token_f1
from shared.questions.answers import normalise

ANSWERS = st.text(alphabet="ab AB.,-'\t 1é_", max_size=12)


def plain_normalise(text: str) -> str:
    return "".join(c for c in text.lower().strip() if re.match(r"[\w\s]", c))


def plain_f1(answer: str, reference: str) -> float:
    answered, wanted = plain_normalise(answer).split(), plain_normalise(reference).split()
    if not answered or not wanted:
        return float(answered == wanted)
    left, common = list(wanted), 0
    for word in answered:
        if word in left:
            left.remove(word)
            common += 1
    if common == 0:
        return 0.0
    precision, recall = common / len(answered), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def plain_distance(left: str, right: str) -> int:
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        row, above = [i], row
        for (diagonal, up), b in zip(pairwise(above), right, strict=True):
            row.append(min(up + 1, row[-1] + 1, diagonal + (a != b)))
    return row[-1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  White. ", "white"),
        ("T-Shirt", "tshirt"),
        ("3.5", "35"),
        ("snake_case", "snake_case"),
        ("Café!", "café"),
        # Stripped before the full stop goes, as published.
        ("yes .", "yes "),
    ],
)
def test_normalisation_is_lower_strip_remove_in_that_order(text, expected):
    assert normalise(text) == expected


@given(ANSWERS)
def test_normalisation_equals_the_plain_definition(text):
    assert normalise(text) == plain_normalise(text)


@given(st.lists(st.tuples(ANSWERS, ANSWERS), max_size=8))
def test_scores_equal_the_slow_reference(rows):
    answers, references = [a for a, _ in rows], [r for _, r in rows]
    plain = [(plain_normalise(a), plain_normalise(r)) for a, r in rows]
    assert exact_match(answers, references).tolist() == [float(a == r) for a, r in plain]
    assert token_f1(answers, references) == pytest.approx([plain_f1(a, r) for a, r in rows])
    assert levenshtein(answers, references) == pytest.approx(
        [1 - plain_distance(a, r) / max(len(a), len(r), 1) for a, r in plain]
    )


def test_worked_examples():
    answers = ["Dark brown", "a red shoe", "", "two"]
    references = ["brown", "red", "red", "2"]
    assert exact_match(answers, references).tolist() == [0, 0, 0, 0]
    assert token_f1(answers, references) == pytest.approx([2 / 3, 1 / 2, 0, 0])
    assert substring(answers, references).tolist() == [1, 1, 0, 0]


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="longer"):
        exact_match(["a"], ["a", "b"])
