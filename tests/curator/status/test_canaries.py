"""When a day's answers say that a model has changed, and how often that is a false alarm."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from curator.ledger import CanaryDay
from curator.status.canaries import (
    ALARM_CHANCE,
    USUAL_DAYS,
    canary_standings,
    canary_words,
    chance_of_so_few,
    first_alarm_day,
)

Answers = dict[int, bool]


def reference(today: Answers, before: list[Answers]) -> float:
    """Count all ways to deal each question's results out to its days, today's one by one."""
    questions = [q for q in today if any(q in day for day in before)]
    results = [[day[q] for day in before if q in day] + [today[q]] for q in questions]
    seen = sum(today[q] for q in questions)
    ways = sum(sum(drawn) <= seen for drawn in itertools.product(*results))
    return ways / math.prod(map(len, results))


@pytest.mark.parametrize("seed", range(30))
def test_the_chance_is_that_of_dealing_each_questions_results_out_anew(seed):
    rng = random.Random(seed)

    def day() -> Answers:
        return {q: rng.random() < 0.7 for q in range(5) if rng.random() < 0.9}

    today, before = day(), [day() for _ in range(rng.randint(1, 4))]
    told = chance_of_so_few(today, before)
    expected = reference(today, before) if any(q in one for q in today for one in before) else None
    assert told == pytest.approx(expected)


def test_nothing_to_compare_with_gives_no_chance():
    assert chance_of_so_few({1: True}, []) is None
    assert chance_of_so_few({1: True}, [{2: True}]) is None
    assert chance_of_so_few({}, [{2: True}]) is None


def standing(*days: Answers):
    first = CanaryDay("m", "2026-01-01", 20, 20, {})
    later = [
        CanaryDay("m", f"2026-01-{number:02}", 20, 20, answers, "m-001")
        for number, answers in enumerate(days, start=2)
    ]
    [told] = canary_standings([first, *later])
    return told


def equal(count: int, of: int = 20) -> Answers:
    return {question: question < count for question in range(of)}


def test_the_first_days_tell_what_is_usual_and_raise_no_alarm():
    assert (standing().share, standing().is_alarm) == (None, False)
    one = standing(equal(3))
    assert (one.share, one.usual_share, one.chance, one.is_alarm) == (3 / 20, None, None, False)
    two = standing(equal(3), equal(4))
    assert (two.usual_share, two.is_alarm) == (3 / 20, False)


def test_a_fall_is_an_alarm_as_long_as_it_lasts_and_is_no_part_of_what_is_usual():
    fallen = standing(*[equal(19)] * 3, equal(5))
    assert fallen.chance < ALARM_CHANCE
    assert fallen.changed_on == "2026-01-05"
    still = standing(*[equal(19)] * 3, *[equal(5)] * 20)
    assert still.changed_on == "2026-01-05"
    assert still.usual_compared == 3 * 20
    back = standing(*[equal(19)] * 3, equal(5), equal(19))
    assert not back.is_alarm


def test_a_slow_drift_is_measured_against_the_first_days():
    days = [equal(max(0, 20 - number // 2)) for number in range(40)]
    assert standing(*days[:USUAL_DAYS]).changed_on == ""
    assert standing(*days).is_alarm


def test_a_day_without_answers_neither_ends_nor_raises_an_alarm():
    assert standing(*[equal(19)] * 3, equal(5), {}).changed_on == "2026-01-05"
    assert not standing(*[equal(19)] * 3, {}).is_alarm


def test_each_model_is_told_of_by_itself():
    days = [
        CanaryDay(model, f"2026-01-0{number}", 20, 20, equal(count) if count else {})
        for model, counts in (("a", (0, 20, 20, 2)), ("b", (0, 20, 20, 20)))
        for number, count in enumerate(counts, start=1)
    ]
    assert [(one.model, one.is_alarm) for one in canary_standings(days)] == [
        ("a", True), ("b", False),
    ]  # fmt: skip


def test_what_is_told_names_shares_interval_and_alarm():
    told = canary_words(standing(*[equal(19)] * 3, equal(5)))
    assert "m: 5 of 20 answers on 2026-01-05 as on 2026-01-01 (25%, 95 % interval 11%" in told
    assert "95% on the days before" in told
    assert "it may have changed under its name on 2026-01-05" in told
    assert "changed" not in canary_words(standing(equal(19), equal(19)))


@pytest.mark.parametrize(("canaries", "repeats"), [(10, 0.7), (20, 0.9), (50, 0.8)])
def test_an_unchanged_model_raises_a_false_alarm_on_fewer_days_than_promised(canaries, repeats):
    rng = random.Random(canaries)
    tested = alarms = 0
    for _ in range(60):
        usual: list[Answers] = []
        chances = [rng.betavariate(3 * repeats, 3 * (1 - repeats)) for _ in range(canaries)]
        for _ in range(25):
            today = {place: rng.random() < chance for place, chance in enumerate(chances)}
            told = chance_of_so_few(today, usual)
            tested += told is not None
            alarms += told is not None and told < ALARM_CHANCE
            if len(usual) < USUAL_DAYS:
                usual.append(today)
    # At 0.001 a day there would be 1.4 of them in 1,440; five or more had a chance of 0.02.
    assert tested == 60 * 24
    assert alarms <= 4


def test_a_model_that_answers_half_of_fifty_otherwise_is_noticed_that_day():
    rng = random.Random(1)
    noticed = 0
    for _ in range(50):
        days = [{place: rng.random() < 0.95 for place in range(50)} for _ in range(8)]
        changed = {place: place % 2 == 0 and rng.random() < 0.95 for place in range(50)}
        chance = chance_of_so_few(changed, days[:USUAL_DAYS])
        noticed += chance is not None and chance < ALARM_CHANCE
    assert noticed == 50


@pytest.mark.parametrize("images", [1, 3, 4, 5, 9, 10, 20])
def test_the_first_day_of_an_alarm_is_that_on_which_the_worst_change_raises_one(images):
    same, other = dict.fromkeys(range(images), True), dict.fromkeys(range(images), False)
    alarms = [
        days + 2 for days in range(1, USUAL_DAYS + 2) if standing(*[same] * days, other).changed_on
    ]
    assert first_alarm_day(images) == (alarms[0] if alarms else None)
