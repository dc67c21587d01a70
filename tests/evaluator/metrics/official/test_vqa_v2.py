"""VQA accuracy by its authors' definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.metrics.official.vqa_text import vqa_form
from evaluator.metrics.official.vqa_v2 import vqa_v2
from evaluator.metrics.texts.vqa_soft import vqa_soft

WORDS = st.sampled_from(
    ["a", "the", "two", "dont", "isn't", "red.", "3.5", "1,000", "t-shirt", "?"]
)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        # The authors' page gives these.
        ("dont", "don't"),
        ("100,978", "100978"),
        ("2:50 pm", "2:50 pm"),
        ("girl's", "girl's"),
        # And what it says of each step.
        ("A Cat", "cat"),
        ("an  apple and the pear", "apple and pear"),
        ("Two", "2"),
        ("none", "0"),
        ("ten", "10"),
        ("eleven", "eleven"),
        ("3.5 kg.", "3.5 kg"),
        ("T-shirt", "t shirt"),
        ("black/white", "black white"),
        ("yes, it is", "yes it is"),
        ("what?!", "what"),
        ("couldntve", "couldntve"),
        ("couldnt've", "couldn't've"),
        ("red\tand\nblue", "red and blue"),
    ],
)
def test_answers_are_compared_in_their_vqa_form(text, form):
    assert vqa_form(text) == form


@given(st.lists(WORDS, max_size=4).map(" ".join))
def test_the_vqa_form_is_its_own(text):
    assert vqa_form(vqa_form(text)) == vqa_form(text)


def test_spellings_that_people_take_for_one_score_full_here_alone():
    rows = [
        ("three", ("3",) * 9 + ("4",)),
        ("the dog", ("dog",) * 9 + ("puppy",)),
        ("wont", ("won't",) * 9 + ("no",)),
        ("x ray", ("x-ray",) * 9 + ("scan",)),
    ]
    answers, references = zip(*rows, strict=True)
    assert vqa_v2(answers, references).tolist() == [1, 1, 1, 1]
    assert vqa_soft(answers, references).tolist() == [0, 0, 1, 0]


def test_ten_people_give_the_published_steps():
    rows = [("red",) * agreeing + ("blue",) * (10 - agreeing) for agreeing in range(5)]
    assert vqa_v2(["red"] * 5, rows) == pytest.approx([0, 0.3, 0.6, 0.9, 1])


def test_fewer_than_four_references_have_no_score():
    assert np.isnan(vqa_v2(["red"] * 2, [("red",), ("red",) * 3])).all()
    assert vqa_v2(["red"], [("red",) * 4]).tolist() == [1]
