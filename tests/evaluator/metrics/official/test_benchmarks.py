"""The accuracies of VQA v2's script, VizWiz, TextVQA, GQA and DocVQA, against slow references."""

import re
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.metrics.official.anls import anls
from evaluator.metrics.official.gqa import gqa
from evaluator.metrics.official.textvqa import textvqa
from evaluator.metrics.official.vizwiz import vizwiz
from evaluator.metrics.official.vqa_text import textvqa_form, vizwiz_form, vqa_form
from evaluator.metrics.official.vqa_v2 import vqa_v2
from evaluator.metrics.official.vqa_v2_script import vqa_v2_script
from evaluator.metrics.registry import METRICS
from evaluator.metrics.text_models.loaded import TextModels

WORDS = st.sampled_from(
    ["a", "two", "dont", "Red.", "3.5", "1,000", "t-shirt", "lay's", "?", "x,y"]
)
TEXTS = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)
PEOPLE = st.lists(TEXTS, min_size=4, max_size=10).map(tuple)


def left_out_in_turn(answer, said):
    """Go through all sets of people without one, as the evaluation is described."""
    people = list(enumerate(said))
    others = [[word for place, word in people if place != left] for left, _ in people]
    return np.mean([min(1.0, some.count(answer) / 3) for some in others])


@pytest.mark.parametrize(
    ("metric", "form", "of_people"),
    [
        (vqa_v2, vqa_form, vqa_form),
        (vizwiz, vizwiz_form, str),
        (textvqa, textvqa_form, textvqa_form),
    ],
)
@given(answer=TEXTS, people=PEOPLE)
def test_accuracy_is_the_mean_over_all_sets_of_people_without_one(
    metric, form, of_people, answer, people
):
    wanted = left_out_in_turn(form(answer), [of_people(said) for said in people])
    assert metric([answer], [people])[0] == pytest.approx(wanted)


@given(answer=TEXTS, people=PEOPLE)
def test_the_script_normalises_unless_all_people_said_the_same(answer, people):
    same = len(set(people)) == 1
    wanted = left_out_in_turn(
        *((answer, people) if same else (vqa_form(answer), [vqa_form(said) for said in people]))
    )
    assert vqa_v2_script([answer], [people])[0] == pytest.approx(wanted)


def test_vizwiz_leaves_what_people_said_as_it_stands():
    rows = [
        ("two", ("two",) * 10),
        ("two", ("2",) * 10),
        ("A can.", ("can",) * 10),
        ("can", ("a can",) * 10),
        ("dont", ("don't",) * 5 + ("don\u2019t",) * 5),
        ("cant", ("can't",) * 10),
        ("couldnt\u2019ve", ("couldn\u2019t\u2019ve",) * 10),
    ]
    answers, people = zip(*rows, strict=True)
    assert vizwiz(answers, people).tolist() == [0, 1, 1, 0, 1, 1, 1]


def test_where_people_agree_letter_by_letter_script_and_page_differ():
    rows = [
        ("Yes", ("yes",) * 10),
        ("t-shirt", ("t-shirt",) * 10),
        ("t shirt", ("t-shirt",) * 10),
        ("t shirt", ("t-shirt",) * 9 + ("shirt",)),
    ]
    answers, people = zip(*rows, strict=True)
    assert vqa_v2(answers, people).tolist() == [1, 1, 1, 1]
    assert vqa_v2_script(answers, people).tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("text", "vqa", "server"),
    [
        ("Lay's", "lay's", "lay 's"),
        ("what's", "what's", "what 's"),
        ("coca, cola", "coca cola", "coca cola"),
        ("red,blue", "red blue", "redblue"),
        ("1,000 m/s", "1000 ms", "1000 m s"),
        ("3.5 l.", "3.5 l", "3.5 l"),
        ("im", "im", "im"),
        ("shes", "shes", "shes"),
        ("somebody'd", "somebodyd", "somebodyd"),
        ("yalld've", "yalld've", "yalld've"),
        ("yall'd've", "y'all'd've", "y'all'd've"),
    ],
)
def test_texts_are_treated_as_each_evaluation_does(text, vqa, server):
    assert (vqa_form(text), textvqa_form(text)) == (vqa, server)


def test_no_more_points_go_than_the_script_removes():
    assert vqa_form("a" + ". b" * 40).count(".") == 8


def test_an_unanswerable_question_is_answered_like_any_other():
    people = ("unanswerable",) * 2 + ("a can", "soda", "can of soda", "coke") * 2
    answers = ["Unanswerable.", "soda", "can"]
    assert vizwiz(answers, [people] * 3) == pytest.approx([0.6, 0.6, 0])


def test_gqa_forgives_nothing():
    assert gqa(["yes", "Yes", "yes.", "left"], ["yes", "yes", "yes", "left"]).tolist() == [
        1,
        0,
        0,
        1,
    ]


def slow_distance(one, two):
    rows = np.zeros((len(one) + 1, len(two) + 1), dtype=int)
    rows[:, 0], rows[0] = range(len(one) + 1), range(len(two) + 1)
    for i, j in product(range(len(one)), range(len(two))):
        rows[i + 1, j + 1] = min(
            rows[i, j + 1] + 1, rows[i + 1, j] + 1, rows[i, j] + (one[i] != two[j])
        )
    return rows[-1, -1]


@given(st.text("aAb ", max_size=6), st.text("aAb ", max_size=6))
def test_anls_is_the_share_of_characters_that_stay_and_nothing_up_to_half(answer, reference):
    one, two = (re.sub(" +", " ", text.strip().lower()) for text in (answer, reference))
    longer = max(len(one), len(two))
    kept = 1 - slow_distance(one, two) / longer if longer else 1.0
    assert anls([answer], [reference])[0] == pytest.approx(kept if kept > 0.5 else 0.0)


def test_anls_gives_nothing_for_one_half_as_in_the_papers_equation():
    # Equation 1 of arXiv:1905.13648: a distance counts where it is below 0.5.
    found = anls(["no", "1899", "ITC Limited", "totem"], ["na", "1880", "itc limited", "total"])
    assert found == pytest.approx([0, 0, 1, 0.6])


def test_each_official_definition_has_a_signature_of_its_own():
    names = [
        "vqa_v2",
        "vqa_v2_script",
        "vizwiz",
        "textvqa",
        "gqa",
        "anls",
        "exact_match",
        "vqa_soft",
    ]
    signatures = [METRICS[name].signature(TextModels(), {}) for name in names]
    assert len({signature.rpartition("|")[2] for signature in signatures}) == len(names)
