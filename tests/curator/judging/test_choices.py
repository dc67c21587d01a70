from __future__ import annotations

import pytest

from curator.judging.choices import offers
from curator.prompts.languages.language import language_of

ENGLISH = language_of("en")


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        ("Is the lid open or closed?", ["open", "closed"]),
        ("Is the finish matte, glossy, or satin?", ["matte", "glossy", "satin"]),
        ("For the chair, is its seat round or square?", ["round", "square"]),
        ("Is the handle on the left side or the right side?", ["left", "right"]),
        ("Is the handle on the left or right side?", ["left", "right"]),
        ("Does it have a flat or a curved back?", ["flat", "curved"]),
        ("Is the toe shape pointed OR round", ["pointed", "round"]),
        ("Is it light blue or dark blue?", ["light blue", "dark blue", "light", "dark"]),
    ],
)
def test_a_choice_is_among_those_offered(question, answers):
    assert [answer for answer in answers if not offers(question, answer.split(), ENGLISH)] == []


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Is the red chair red?", "red"),
        ("Is the lid open or closed?", "lid"),
        ("For the chair, is its seat round or square?", "chair"),
        ("Is the wooden table round or square?", "table"),
        ("Does the frame show one or more screws?", "one"),
        ("Is the handle on the left side or the right side?", "handle"),
        ("What is the colour of the floor?", "floor"),
        ("Is it in front of or behind the box?", "box"),
    ],
)
def test_what_is_merely_mentioned_is_no_choice(question, answer):
    assert not offers(question, answer.split(), ENGLISH)
