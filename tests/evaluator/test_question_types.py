"""Question types on questions as annotators write them."""

import pytest

from evaluator.question_types import QUESTION_TYPES, coverage, question_type


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
        ("Is the binder open or closed", "other"),
        ("What type of heel does the shoe have", "object/type"),
        ("What is this?", "object/type"),
        ("What is written on the case", "other"),
        ("What platform is shown", "other"),
    ],
)
def test_types(question, expected):
    assert question_type(question) == expected


def test_every_type_is_listed_and_coverage_counts_what_a_rule_fits():
    assert QUESTION_TYPES[-1] == "other"
    assert coverage(["How many", "Why", "what color", "Who"]) == 0.5
    assert coverage([]) == 0.0
