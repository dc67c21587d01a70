"""The question-only prior."""

import pytest

from shared.questions.prior import QuestionPrior
from shared.records import QAPair


def pair(question: str, answer: str) -> QAPair:
    return QAPair("id", question, answer, "a.jpg")


PAIRS = [
    pair("What color is the shoe?", "Black"),
    pair("what color is the shoe", "black."),
    pair("What color is the shoe", "white"),
    pair("What color is the bed", "brown"),
    pair("How many legs", "four"),
    pair("How many legs", "four"),
    pair("How many legs", "four"),
]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("WHAT COLOR IS THE SHOE", "black"),  # known as a whole
        ("What color is the bed?", "brown"),
        ("What color is the sofa", "black"),  # first five words
        ("What shape is it", "black"),  # first word
        ("How many wheels", "four"),
        ("Where", "four"),  # nothing known: the most frequent of all
        ("?", "four"),
    ],
)
def test_answers_by_as_many_first_words_as_are_known(question, answer):
    assert QuestionPrior.fit(PAIRS).answer(question) == answer


def test_ties_do_not_depend_on_the_order_of_rows():
    tied = [pair("Which", "b"), pair("Which", "a")]
    assert QuestionPrior.fit(tied).answer("Which") == "a"
    assert QuestionPrior.fit(reversed(tied)).answer("Which") == "a"


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(ValueError, match="at least one pair"):
        QuestionPrior.fit([])
