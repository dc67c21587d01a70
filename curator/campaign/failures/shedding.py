"""Requests that a cheaper tier had no room for: nobody's failure, they are sent again later."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Final

from shared.endpoints.models.tier import Tier
from shared.endpoints.outage import LONGEST_OUTAGE_S
from shared.endpoints.pool.backoff import backoff_s
from shared.errors import StoppedForNow
from shared.program.durations import duration
from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)

TOLD_AFTER_S: Final = 300.0
"""A tier that has had no room for so long is told of."""
FEWEST: Final = 8
"""So many requests in a row are shed, too: a few of a small campaign say little."""


class NoRoom(StoppedForNow):
    """The tier has had no room for long."""


class Shedding:
    """What a tier shed since it last had room: each request waits longer, each by itself.

    Requests are neither slowed down together nor sent one at a time, as in an outage: which of them
    finds room is chance.
    """

    def __init__(self, tier: Tier = Tier.STANDARD, longest_s: float = LONGEST_OUTAGE_S) -> None:
        """Let ``tier`` have no room for ``longest_s`` seconds at most."""
        self._tier = tier
        self._longest_s = longest_s
        self._in_a_row = 0
        self._since = 0.0
        self._is_told = False
        self._of_item: Counter[object] = Counter()

    def had_room(self, item: object) -> None:
        """Heed that a request about ``item`` was served."""
        self._in_a_row = 0
        self._is_told = False
        self._of_item.pop(item, None)

    def shed(self, item: object, asked_s: float | None, now: float, rng: random.Random) -> float:
        """Count a request that was shed; return seconds until it is sent again.

        ``asked_s`` is how long the server asks to wait, if it does.

        Raises:
            NoRoom: the tier has had none for too long.
        """
        if not self._in_a_row:
            self._since = now
        self._in_a_row += 1
        self._of_item[item] += 1
        lasted_s = now - self._since
        if self._in_a_row >= FEWEST:
            if lasted_s >= self._longest_s:
                raise NoRoom(
                    f"--tier {self._tier} has had no room for {duration(lasted_s)}; no image is "
                    "given up for that: run the same command again later, or with another --tier"
                )
            self._tell(lasted_s)
        return max(backoff_s(self._of_item[item], rng), min(asked_s or 0.0, TOLD_AFTER_S))

    def _tell(self, lasted_s: float) -> None:
        if self._is_told or lasted_s < TOLD_AFTER_S:
            return
        self._is_told = True
        ends = {} if math.isinf(self._longest_s) else {"ends_after": duration(self._longest_s)}
        log.warning("tier_has_no_room", tier=self._tier, since=duration(lasted_s), **ends)
