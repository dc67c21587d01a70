"""Whether models still answer as they did: what is told of questions asked again each day; pure.

Each model is compared with itself: with what it answered first to the same question, asked in the
same form. No model repeats itself always, and some questions are answered alike more often than
others, so what counts is whether a day's answers are equal less often than those to the same
questions were on the days before. Given the first answers, an unchanged model is as likely to have
given a question's results in any order of days. Hence the exact test of a common odds ratio over
strata, one stratum a question, one-sided (Birch, J. R. Stat. Soc. B 26, 1964; the exact form of
Cochran, Mantel and Haenszel's test): each question's one result of the day is drawn from all of its
results.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any, Final

from curator.ledger import CampaignReport, CanaryDay
from shared.dataset.agreement_rate import wilson_interval
from shared.value_class import value_class

ALARM_CHANCE: Final = 1e-3
"""An unchanged model raises a false alarm on a day with at most this chance."""
USUAL_DAYS: Final = 7
"""The usual share is that of so many first days without alarm: what goes slowly is seen too."""


@value_class
class CanaryStanding:
    """How a model's answers of its latest ``day`` compare with those that it gave first.

    ``equal`` of ``compared`` answers are the same; ``asked`` counts those that have none, too.
    ``usual_equal`` of ``usual_compared`` were on the days before that the alarm goes by. ``chance``
    is how likely an unchanged model would give so few or fewer; ``changed_on`` is the first of the
    days in a row, up to this one, on which that is below ``ALARM_CHANCE``, empty where it is not.
    """

    model: str
    first_day: str
    day: str
    asked: int
    compared: int
    equal: int
    usual_compared: int
    usual_equal: int
    chance: float | None
    changed_on: str
    answered_by: str

    @property
    def share(self) -> float | None:
        """The share of equal answers of the day; ``None`` where there is nothing to compare."""
        return self.equal / self.compared if self.compared else None

    @property
    def usual_share(self) -> float | None:
        """The share of equal answers on the days before; ``None`` where there is none yet."""
        return self.usual_equal / self.usual_compared if self.usual_compared else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval of the day's share."""
        return None if self.share is None else wilson_interval(self.share, self.compared)

    @property
    def is_alarm(self) -> bool:
        """Whether the model seems to have changed."""
        return bool(self.changed_on)


def chance_of_so_few(
    today: Mapping[int, bool], before: Sequence[Mapping[int, bool]]
) -> float | None:
    """Return how likely so few equal answers are where nothing has changed.

    ``today`` and the days ``before`` say of questions whether the answer was equal. ``None`` where
    no question was compared before.
    """
    equal_now = 0
    chances = []
    for question, is_equal in today.items():
        results = [day[question] for day in before if question in day]
        if results:
            equal_now += is_equal
            chances.append((sum(results) + is_equal) / (len(results) + 1))
    return _lower_tail(chances, equal_now) if chances else None


def _lower_tail(chances: Sequence[float], most: int) -> float:
    """Return how likely ``most`` or fewer of independent events with these chances happen."""
    ways = [1.0]
    for chance in chances:
        missed = [(1 - chance) * each for each in (*ways, 0.0)]
        hit = [chance * each for each in (0.0, *ways)]
        ways = [one + other for one, other in zip(missed, hit, strict=True)]
    return min(1.0, math.fsum(ways[: most + 1]))


def first_alarm_day(images: int) -> int | None:
    """Return the first day on which so many canaries may raise an alarm; ``None``: on no day.

    At best: where the model repeated itself always, and then answers none of them as before. The
    first day brings the answers to compare with, the second the first share of equal ones.
    """
    for usual_days in range(1, USUAL_DAYS + 1):
        if (usual_days + 1.0) ** -images < ALARM_CHANCE:
            return usual_days + 2
    return None


def canary_standings(days: Iterable[CanaryDay]) -> list[CanaryStanding]:
    """Return how each model stands; ``days`` are by model, the earliest first."""
    return [_standing(list(group)) for _, group in groupby(days, key=lambda day: day.model)]


def _standing(days: Sequence[CanaryDay]) -> CanaryStanding:
    usual: list[Mapping[int, bool]] = []
    before: list[Mapping[int, bool]] = []
    chance: float | None = None
    changed_on = ""
    for day in days:
        before, chance = list(usual), chance_of_so_few(day.equal, usual)
        if chance is not None and chance < ALARM_CHANCE:
            changed_on = changed_on or day.day
        elif day.equal:
            changed_on = ""
            if len(usual) < USUAL_DAYS:
                usual.append(day.equal)
    last = days[-1]
    return CanaryStanding(
        model=last.model,
        first_day=days[0].day,
        day=last.day,
        asked=last.asked,
        compared=len(last.equal),
        equal=sum(last.equal.values()),
        usual_compared=sum(map(len, before)),
        usual_equal=sum(sum(day.values()) for day in before),
        chance=chance,
        changed_on=changed_on,
        answered_by=last.answered_by,
    )


def canaries_object(report: CampaignReport) -> dict[str, Any]:
    """Return the same as plain values, with each day."""
    return {
        "images": report.campaign.canaries,
        "models": [
            {
                **asdict(each),
                "share": each.share,
                "interval": each.interval,
                "usual_share": each.usual_share,
                "is_alarm": each.is_alarm,
            }
            for each in canary_standings(report.canary_days)
        ],
        "days": [
            {
                "model": day.model,
                "day": day.day,
                "asked": day.asked,
                "answered": day.answered,
                "compared": len(day.equal),
                "equal": sum(day.equal.values()),
                "answered_by": day.answered_by,
            }
            for day in report.canary_days
        ],
    }


def canary_words(standing: CanaryStanding) -> str:
    """Return in one line how a model's answers compare with its first."""
    if standing.share is None or standing.interval is None:
        return (
            f"{standing.model}: {standing.asked} questions asked on {standing.day}; the answers of "
            "later days are compared with the first"
        )
    low, high = standing.interval
    usual = (
        "" if standing.usual_share is None else f"; {standing.usual_share:.0%} on the days before"
    )
    alarm = (
        f"; it may have changed under its name on {standing.changed_on} (chance of so few answers "
        f"from an unchanged model: {standing.chance:.1g})"
        if standing.is_alarm
        else ""
    )
    return (
        f"{standing.model}: {standing.equal} of {standing.compared} answers on {standing.day} as "
        f"on {standing.first_day} ({standing.share:.0%}, 95 % interval {low:.0%} to {high:.0%})"
        f"{usual}{alarm}"
    )
