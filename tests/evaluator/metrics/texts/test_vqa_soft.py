"""VQA soft accuracy against the official leave-one-out loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.metrics.rows import best_of_references
from evaluator.metrics.texts.exact_match import exact_match
from evaluator.metrics.texts.token_f1 import token_f1
from evaluator.metrics.texts.vqa_soft import vqa_soft
from shared.questions.answers import normalise

ANSWERS = st.sampled_from(["red", "Red.", "blue", "dark red", ""])


def official(answer: str, references: tuple[str, ...]) -> float:
    people = [normalise(reference) for reference in references]
    scores = []
    for place in range(len(people)):
        others = people[:place] + people[place + 1 :]
        matches = len([other for other in others if other == normalise(answer)])
        scores.append(min(1, matches / min(3, len(others))))
    return sum(scores) / len(scores)


@given(ANSWERS, st.lists(ANSWERS, min_size=2, max_size=12).map(tuple))
def test_soft_accuracy_equals_leaving_out_each_person_in_turn(answer, references):
    assert vqa_soft([answer], [references]) == pytest.approx([official(answer, references)])


def test_worked_examples_with_ten_people():
    # The published table: 0, 1, 2, 3 and 4 of ten who agree give 0, 0.3, 0.6, 0.9 and 1.
    rows = [("red",) * agreeing + ("blue",) * (10 - agreeing) for agreeing in range(5)]
    assert vqa_soft(["red"] * 5, rows) == pytest.approx([0, 0.3, 0.6, 0.9, 1])


def test_one_reference_gives_no_score():
    assert np.isnan(vqa_soft(["red"], [("red",)])).all()


@given(
    st.lists(
        st.tuples(ANSWERS, st.lists(ANSWERS, min_size=1, max_size=3).map(tuple)),
        min_size=1,
        max_size=6,
    )
)
def test_other_metrics_take_the_best_reference(rows):
    answers, references = [a for a, _ in rows], [r for _, r in rows]
    for metric in (exact_match, token_f1):
        expected = [max(metric([a] * len(r), list(r))) for a, r in rows]
        assert best_of_references(metric, answers, references) == pytest.approx(expected)
