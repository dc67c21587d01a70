"""Tells one poisonous item from a service that is down, and how long to leave that in peace."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from curator.backoff import FIRST_S, LONGEST_S, jittered
from curator.keypool import OnExhausted
from curator.stopping import StopSignal
from shared.clock import Clock
from shared.durations import duration
from shared.errors import StoppedForNow

OUTAGE_FAILURES: Final = 8
"""After so many in a row, one request at a time asks whether the service is back."""
LONGEST_OUTAGE_S: Final = 1_800.0
"""A service that has been down for so long ends the run, for now."""
FEWEST_FAILURES: Final = 8
"""In a row, too: a run that waited for its quota has not seen an outage of hours."""


def patience_s(on_exhausted: OnExhausted) -> float:
    """Return how long an outage may last: who waits for keys for days, waits for it as well."""
    return math.inf if on_exhausted is OnExhausted.WAIT else LONGEST_OUTAGE_S


class ServiceDown(StoppedForNow):
    """The service has not answered for long."""


class Outage:
    """The transient failures since the service answered last.

    A failure is an item's own only where its key answered about others since it failed before.
    """

    def __init__(self, longest_s: float = LONGEST_OUTAGE_S) -> None:
        """Let a service be down for ``longest_s`` seconds at most."""
        self._longest_s = longest_s
        self._turn = asyncio.Lock()
        self._in_a_row = 0
        self._since = 0.0
        self._reason = ""
        # Each a place in the order of all answers and failures.
        self._place = 0
        self._answered: dict[str, int] = {}
        self._failed: dict[object, int] = {}

    @property
    def in_a_row(self) -> int:
        """Failures since the last answer."""
        return self._in_a_row

    @property
    def is_suspected(self) -> bool:
        """Whether the service seems to be down."""
        return self._in_a_row >= OUTAGE_FAILURES

    def answered(self, item: object, key: str) -> None:
        """The service answered a request about ``item`` with ``key``."""
        self._in_a_row = 0
        self._place += 1
        self._answered[key] = self._place
        self._failed.pop(item, None)

    def failed(self, item: object, key: str, reason: str, now: float) -> bool:
        """Count a failure; return whether it is to be held against the item."""
        self.unreached(reason, now)
        self._place += 1
        is_its_own = self._answered.get(key, 0) > self._failed.get(item, 0)
        self._failed[item] = self._place
        return is_its_own

    def unreached(self, reason: str, now: float) -> None:
        """Count a request that found no connection."""
        if not self._in_a_row:
            self._since = now
        self._in_a_row += 1
        self._reason = reason

    def settled(self, item: object) -> None:
        """Forget an item that is not asked about any more."""
        self._failed.pop(item, None)

    def pause_s(self, now: float, rng: random.Random) -> float:
        """Return seconds until the next request: they grow with the time that it lasts."""
        return jittered(min(LONGEST_S, max(FIRST_S, now - self._since)), rng)

    def require_end(self, now: float) -> None:
        """See that the service has not been down for too long.

        Raises:
            ServiceDown: it has.
        """
        lasted_s = now - self._since
        if self._in_a_row >= FEWEST_FAILURES and lasted_s >= self._longest_s:
            raise ServiceDown(
                f"the service has not answered for {duration(lasted_s)}: {self._in_a_row} requests "
                f"in a row failed, the last with {self._reason!r}; no image is given up for that: "
                "run the same command again to go on"
            )

    async def pause(self, clock: Clock, stop: StopSignal, rng: random.Random) -> None:
        """Leave the service in peace after a failure; where it seems down, ``admitted`` does.

        Raises:
            StopRequested: the run is to stop.
        """
        if not self.is_suspected:
            await stop.sleep(clock, self.pause_s(clock.now(), rng))

    @asynccontextmanager
    async def admitted(
        self, clock: Clock, stop: StopSignal, rng: random.Random
    ) -> AsyncIterator[None]:
        """Wait, while the service seems to be down, for the turn to knock.

        Raises:
            StopRequested: the run is to stop.
        """
        if self.is_suspected:
            async with self._turn:
                if self.is_suspected:
                    await stop.sleep(clock, self.pause_s(clock.now(), rng))
                    yield
                    return
        yield
