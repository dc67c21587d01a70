"""VQA accuracy by its authors' definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.metrics.texts.vqa_soft import vqa_soft
from evaluator.metrics.texts.vqa_v2 import official_form, vqa_v2

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
def test_answers_are_compared_in_their_official_form(text, form):
    assert official_form(text) == form


@given(st.lists(WORDS, max_size=4).map(" ".join))
def test_the_official_form_is_its_own(text):
    assert official_form(official_form(text)) == official_form(text)


@given(WORDS, st.lists(WORDS, min_size=4, max_size=10).map(tuple))
def test_accuracy_leaves_each_person_out_in_turn(answer, references):
    forms = [official_form(reference) for reference in references]
    without_each = [forms[:place] + forms[place + 1 :] for place in range(len(forms))]
    scores = [min(1, others.count(official_form(answer)) / 3) for others in without_each]
    assert vqa_v2([answer], [references]) == pytest.approx([np.mean(scores)])


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
