"""Changes as one types them."""

import pytest

from evaluator.robustness.changes import NAMES, parse_changes
from shared.errors import InputError
from shared.records import Question

ASKED = Question("1", "what color is the lamp", "lamp.jpg")


def test_changes_are_named_with_their_strengths():
    changes = parse_changes(" Turned, cropped=0.50,rephrased,turned=15,turned=90 ")
    assert [str(each) for each in changes] == ["turned=15", "cropped=0.5", "rephrased", "turned=90"]
    assert [each.name for each in parse_changes("all")] == list(NAMES)
    assert changes[0].signature.startswith("turned counterclockwise by 15 degrees|Pillow ")


def test_a_change_is_of_the_picture_or_of_the_question_and_of_nothing_else():
    turned, rephrased = parse_changes("turned,rephrased")
    assert turned.of(ASKED) == Question("1", ASKED.text, "lamp.jpg", view="turned=15")
    assert rephrased.of(ASKED) == Question("1", "what is the color of the lamp", "lamp.jpg")
    assert rephrased.of(Question("1", "couleur ?", "lamp.jpg")) is None


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "names no change"),
        ("turnd", "did you mean 'turned'?"),
        ("turned=0", "give a strength from -180 to 180, such as turned=15"),
        ("cropped=1", "from 0.05 to 0.99"),
        ("darker=nan", "give a strength from"),
        ("compressed=low", "such as compressed=10"),
        ("rephrased=2", "takes no strength"),
    ],
)
def test_what_is_no_change_is_refused_with_the_way_out(typed, told):
    with pytest.raises(InputError, match=told.replace("?", r"\?")):
        parse_changes(typed)
