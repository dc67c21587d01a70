"""The day over which Google counts: it ends at midnight in Los Angeles; pure.

Times are seconds since the epoch, UTC. Such a day has 23 or 25 hours when daylight saving starts or
ends.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

PACIFIC: Final = ZoneInfo("America/Los_Angeles")
CLOCK_S: Final = 1.0
"""So far apart our clock and the server's may be when a day ends."""


def day_start(now: float) -> float:
    """Return when the quota day of ``now`` began: the last midnight in Los Angeles."""
    return _midnight(now, days_ahead=0)


def next_day(now: float) -> float:
    """Return when the quota day of ``now`` ends: the next midnight in Los Angeles."""
    return _midnight(now, days_ahead=1)


def _midnight(now: float, *, days_ahead: int) -> float:
    today = datetime.fromtimestamp(now, UTC).astimezone(PACIFIC).date()
    wanted = today + timedelta(days=days_ahead)
    return datetime(wanted.year, wanted.month, wanted.day, tzinfo=PACIFIC).timestamp()


def day_over(now: float) -> float:
    """Return when the quota day of ``now`` is over by the server's clock, too."""
    return next_day(now - CLOCK_S) + CLOCK_S


def quota_date(now: float) -> str:
    """Return the date of the quota day of ``now`` by the server's clock, as YYYY-MM-DD."""
    return datetime.fromtimestamp(now - CLOCK_S, UTC).astimezone(PACIFIC).date().isoformat()


def day_counts_from(now: float) -> float:
    """Return since when a request may count in the server's quota day of ``now``."""
    return day_start(now - CLOCK_S) - CLOCK_S
