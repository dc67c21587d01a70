"""Tells what came of a day's canaries, and warns once when a model seems to have changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from curator.ledger import CanaryDay
from curator.status.canaries import canary_standings, first_alarm_day
from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)

_ENOUGH: Final = 20
"""Canaries that notice most changes in the second week; see docs/operating.md."""
_SOON: Final = 3
"""The first day on which any number of them can tell."""


def tell_standing(days: Sequence[CanaryDay], today: str) -> None:
    """Log how a model stands ``today``, the last of its ``days``, if it was asked."""
    for now in canary_standings(days):
        if now.day != today:
            continue
        fields = {
            "model": now.model,
            "day": now.day,
            "asked": now.asked,
            "compared": now.compared,
            "equal": now.equal,
        }
        if now.changed_on != today:
            log.info("canaries_asked", **fields)
            continue
        log.warning(
            "model_may_have_changed",
            **fields,
            usual=f"{now.usual_equal} of {now.usual_compared}",
            chance=now.chance,
            answered_by=now.answered_by,
            told_in="curator status",
        )


def tell_few(count: int) -> None:
    """Warn where so few canaries notice a change late, or never."""
    day = first_alarm_day(count)
    if count and day != _SOON:
        earliest = "never" if day is None else f"day {day} of a model, if all answers change"
        log.warning("few_canaries", canary=count, first_alarm=earliest, better=_ENOUGH)


def tell_left(model: str, why: Exception) -> None:
    """Log that a model's canaries are left for today."""
    log.info("canaries_left_for_today", model=model, why=str(why))
