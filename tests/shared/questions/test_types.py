"""Question types on questions as annotators write them."""

from pathlib import Path

import pytest

from shared.corpus import read_pairs
from shared.questions.types import QUESTION_TYPES, question_type, type_shares

ABO = Path(__file__).parents[4] / "shared" / "abo"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the main color of the shoe", "colour"),
        ("what colour is the circle?", "colour"),
        ("How many legs does the bed have", "count"),
        ("What is the number of drawers", "count"),
        ("What material is the bed frame made of", "material"),
        ("What is the frame made of", "material"),
        ("What is the shape of the headboard", "shape"),
        ("what shape is present?", "shape"),
        ("Is there a red shape?", "yes/no"),
        ("does the image contain a circle?", "yes/no"),
        ("Is the binder open or closed", "choice"),
        ("What type of heel does the shoe have", "object"),
        ("What is this?", "object"),
        ("What is written on the case", "text"),
        ("What pattern is on the rug", "look"),
        ("What is the height of the boot", "size"),
        ("Where is the logo placed", "text"),
        ("How are the towels arranged", "state"),
        ("What is attached to the zipper", "object"),
        ("What platform is shown", "other"),
    ],
)
def test_types(question, expected):
    assert question_type(question) == expected


def test_every_type_is_listed_and_shares_count_what_no_rule_fits():
    assert QUESTION_TYPES[-1] == "other"
    assert type_shares(["How many", "Why", "what color", "Who"])["other"] == 0.5
    assert type_shares([]) == {}


@pytest.mark.abo
@pytest.mark.skipif(not ABO.is_dir(), reason="the ABO sample is not in ../shared/abo")
def test_the_rules_cover_what_annotators_ask_about_products():
    questions = [pair.question for pair in read_pairs(ABO / "vqa.csv")]
    assert type_shares(questions).get("other", 0.0) < 0.01
