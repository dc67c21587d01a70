"""A span of time in words, the one way in which all parts tell it."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

MINUTE_S: Final = 60.0
DAY_S: Final = 86_400.0
_HOUR_MIN: Final = 60
_DAY_MIN: Final = 1_440
_YEAR_DAYS: Final = 365
_MOST_YEARS: Final = 1_000


def duration(seconds: float) -> str:
    """Return a span of time in its two largest units, in minutes or longer; else in seconds.

    A span that has ended, zero or negative, is ``0 s``; what is no span at all is ``unknown``.
    """
    if math.isnan(seconds) or seconds == math.inf:
        return "unknown"
    if seconds < MINUTE_S:
        return f"{math.floor(max(0.0, seconds))} s"
    minutes = round(seconds / MINUTE_S)
    days, hours = minutes // _DAY_MIN, minutes % _DAY_MIN // _HOUR_MIN
    if days > _MOST_YEARS * _YEAR_DAYS:
        return f"more than {_MOST_YEARS:,} years"
    if days:
        return f"{days:,} day{'s' * (days != 1)} {hours} h"
    return f"{hours} h {minutes % _HOUR_MIN} min" if hours else f"{minutes} min"


def local_time(at: float) -> str:
    """Return a moment, seconds since the epoch, to the minute and in this machine's time zone."""
    try:
        return f"{datetime.fromtimestamp(at, UTC).astimezone():%Y-%m-%d %H:%M %Z}"
    except (ValueError, OverflowError, OSError):
        return "a time beyond all calendars"
