"""A teacher that changes, or is unsteady: what it answers otherwise, when, and how often."""

from __future__ import annotations

import random

import pytest

from curator.rehearsal.answers.temper import STEADY, Temper
from shared.records import QAPair
from tests.curator.rehearsal.conftest import MODEL, Play

WORDS = ("red", "blue", "wood", "metal", "round", "square")
PAIRS = [
    QAPair(id=f"{image}-{place}", question=f"question {place}?", answer=word, filename=image)
    for image in (f"{number}.jpg" for number in range(200))
    for place, word in enumerate(WORDS)
]


def by_image(pairs):
    images = {}
    for pair in pairs:
        images.setdefault(pair.filename, []).append(pair)
    return images.values()


def answers(temper: Temper, *, requests: int = 1, now: float = 0.0, seed: int = 0) -> list[str]:
    die = random.Random(seed)
    told = (temper.told(pairs, requests, now, die) for pairs in by_image(PAIRS))
    return [pair.answer for pairs in told for pair in pairs]


KNOWN = [pair.answer for pair in PAIRS]


def share_of_others(told: list[str], known: list[str] = KNOWN) -> float:
    return sum(one != other for one, other in zip(told, known, strict=True)) / len(told)


def test_a_steady_model_answers_what_is_known():
    assert answers(STEADY) == KNOWN


def test_a_changed_model_answers_a_share_otherwise_always_the_same_one():
    changed = Temper(changed_share=0.4)
    assert share_of_others(answers(changed)) == pytest.approx(0.4, abs=0.05)
    assert answers(changed, seed=1) == answers(changed, seed=2)


def test_an_unsteady_model_answers_a_share_otherwise_by_chance():
    unsteady = Temper(unsteady_share=0.1)
    first, second = answers(unsteady, seed=1), answers(unsteady, seed=2)
    assert share_of_others(first) == pytest.approx(0.1, abs=0.03)
    assert first != second


@pytest.mark.parametrize(
    ("temper", "before", "after"),
    [
        (Temper(changes_at=100.0, changed_share=1.0), {"now": 99.0}, {"now": 100.0}),
        (Temper(changes_after=5, changed_share=1.0), {"requests": 5}, {"requests": 6}),
    ],
)
def test_a_model_changes_when_it_is_said_to(temper, before, after):
    assert answers(temper, **before) == KNOWN
    assert share_of_others(answers(temper, **after)) == 1.0


async def test_over_http_a_model_changes_in_mid_run_under_its_name(play: Play):
    table = {"name": MODEL, "changes_after": 2, "changed_share": 1.0}
    async with play(model=[table]) as stage:
        replies = [await stage.ask() for _ in range(4)]
    texts = [reply.text for reply in replies]
    assert texts[0] == texts[1]
    assert texts[1] != texts[2] == texts[3]
    assert {reply.model_version for reply in replies} == {MODEL}
