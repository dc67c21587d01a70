"""Limits as Google states them: requests and tokens a minute, requests a day; pure.

Times are seconds since the epoch, UTC. ``shared.endpoints.pool.usage`` counts what is used of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final

from shared.program.durations import DAY_S
from shared.value_class import value_class

LIMITS: Final = ("rpm", "tpm", "rpd")
LEARNED_FOR_S: Final = 7 * DAY_S
"""So long a limit that a refusal named is believed; the next refusal renews it."""


class Window(StrEnum):
    """The span over which a limit holds."""

    MINUTE = "minute"
    DAY = "day"


@value_class
class Quota:
    """Limits of one project and model; ``None`` where none is known.

    ``rpm`` and ``rpd`` are requests a minute and a day, ``tpm`` input tokens a minute.
    """

    rpm: int | None = None
    tpm: int | None = None
    rpd: int | None = None

    def __post_init__(self) -> None:
        for name in LIMITS:
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise ValueError(f"{name} must be at least 1, got {limit}")

    def tightened(self, other: Quota) -> Quota:
        """Return the smaller of both limits, each by itself."""
        return replace(
            self,
            rpm=_smaller(self.rpm, other.rpm),
            tpm=_smaller(self.tpm, other.tpm),
            rpd=_smaller(self.rpd, other.rpd),
        )


@value_class
class LearnedLimit:
    """A limit that a refusal named ``at`` some time, and what the keys file ``stated`` then.

    Google is believed rather than the file, yet not for ever: limits are raised, and whoever knows
    of it and states another limit than before is believed at once.
    """

    value: int
    stated: int | None
    at: float

    def holds(self, stated: int | None, now: float) -> bool:
        """Return whether the limit still counts where the keys file says ``stated``."""
        return stated == self.stated and now < self.at + LEARNED_FOR_S


LearnedLimits = Mapping[str, LearnedLimit]
"""By the names in ``LIMITS``."""


def corrected(stated: Quota, learned: LearnedLimits, now: float) -> Quota:
    """Return the limits that count at ``now``: the stated ones, or what was learned if smaller."""
    holding = {
        name: limit.value
        for name, limit in learned.items()
        if limit.holds(getattr(stated, name), now)
    }
    return stated.tightened(Quota(**holding))


def learn(learned: LearnedLimits, named: Quota, stated: Quota, now: float) -> LearnedLimits:
    """Return what is known once a refusal has named limits: the latest word counts."""
    values = {name: getattr(named, name) for name in LIMITS}
    return {
        **learned,
        **{
            name: LearnedLimit(value, getattr(stated, name), now)
            for name, value in values.items()
            if value is not None
        },
    }


def _smaller(left: int | None, right: int | None) -> int | None:
    return min((limit for limit in (left, right) if limit is not None), default=None)
