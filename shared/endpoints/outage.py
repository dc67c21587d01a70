"""Tells one poisonous item from a service that is down, and how long to leave that in peace."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Final

from shared.endpoints.pool.backoff import FIRST_S, LONGEST_S, jittered
from shared.endpoints.pool.exhaustion import OnExhausted
from shared.errors import StoppedForNow
from shared.program.async_stopping import AsyncStopSignal
from shared.program.clock import Clock
from shared.program.durations import duration

OUTAGE_FAILURES: Final = 8
"""After so many in a row, one request at a time asks whether the service is back."""
LONGEST_OUTAGE_S: Final = 1_800.0
"""A service that has been down for so long ends the run, for now."""
FEWEST_FAILURES: Final = 8
"""In a row, too: a run that waited for its quota has not seen an outage of hours."""
FEWEST_TRIES: Final = 5
"""An item is asked about so often before it is to blame for its failures."""
CHANCE: Final = 1e-4
"""How likely it may be that a service which fails now and then failed an item so often in a row."""
LATEST: Final = 100
"""Items whose first tries tell how often the service fails now."""
_AT_ONCE: Final = nullcontext()
IN_DOUBT: Final = 2
"""After so many failures of an item without any answer, what was answered before is asked again."""
_UNSEEN: Final = 3
"""Proofs taken to have failed beside those that did: an upper bound, by the rule of three."""
_RESTS: Final = 2
"""An item that failed so often between answers to others no longer makes its worker rest."""


def patience_s(on_exhausted: OnExhausted) -> float:
    """Return how long an outage may last: who waits for keys for days, waits for it as well."""
    return math.inf if on_exhausted is OnExhausted.WAIT else LONGEST_OUTAGE_S


class ServiceDown(StoppedForNow):
    """The service has not answered for long."""


class Outage:
    """The transient failures since the service answered last.

    A failure may be an item's own only where others were answered since it failed before; and the
    more often the service, or some of the keys, fail others, the more of them it takes. A proof is
    what was answered before, asked again: whether it comes tells a service that is down from items
    that are bad, however many of them are left.
    """

    def __init__(self, longest_s: float = LONGEST_OUTAGE_S) -> None:
        """Let a service be down for ``longest_s`` seconds at most."""
        self._longest_s = longest_s
        self._turn = asyncio.Lock()
        self._in_a_row = 0
        self._since = 0.0
        self._reason = ""
        self._ever = 0
        # Each a place in the order of all answers and failures.
        self._place = 0
        self._answered = 0
        self._failed: dict[object, int] = {}
        self._own: Counter[object] = Counter()
        # Whether the first try failed, of those items that were asked about last.
        self._first_tries: deque[tuple[object, bool]] = deque(maxlen=LATEST)
        # Failures since the last answer to anything.
        self._unanswered: Counter[object] = Counter()
        self._knocks = 0
        self._proofs_asked = 0
        self._proofs_came = 0

    @property
    def in_a_row(self) -> int:
        """Failures since the last answer."""
        return self._in_a_row

    @property
    def is_suspected(self) -> bool:
        """Whether the service seems to be down."""
        return self._in_a_row >= OUTAGE_FAILURES

    @property
    def is_news(self) -> bool:
        """Whether the latest failure is to be told: the first, and each that makes an outage."""
        return self._ever == 1 or self._in_a_row == OUTAGE_FAILURES

    @property
    def has_answered(self) -> bool:
        """Whether the service answered anything yet."""
        return self._answered > 0

    def answered(self, item: object) -> None:
        """The service answered a request about ``item``."""
        self.is_back()
        if item not in self._failed:
            self._first_tries.append((item, False))
        self.settled(item)

    def is_back(self) -> None:
        """The service answered, whatever it was asked."""
        self._in_a_row = 0
        self._knocks = 0
        self._unanswered.clear()
        self._place += 1
        self._answered = self._place

    def proof_asked(self) -> None:
        """What was answered before is asked again, in place of an item."""
        self._proofs_asked += 1

    def proof_came(self) -> None:
        """It was answered again."""
        self._proofs_came += 1
        self.is_back()

    def failed(self, item: object, reason: str, now: float) -> bool:
        """Count a failure; return whether the item is to blame for those it has seen."""
        self.unreached(reason, now)
        self._place += 1
        self._unanswered[item] += 1
        if item not in self._failed:
            self._first_tries.append((item, True))
        self._own[item] += self._answered > self._failed.get(item, 0)
        self._failed[item] = self._place
        return self._own[item] >= self._tries_until_blamed(item)

    def is_in_doubt(self, item: object) -> bool:
        """Whether only another request can tell if the service fails, or this item alone."""
        return self.has_answered and (
            self._unanswered[item] >= IN_DOUBT or (self.is_suspected and item in self._failed)
        )

    def _tries_until_blamed(self, item: object) -> int:
        others = [has_failed for other, has_failed in self._first_tries if other != item]
        failing = (sum(others) + 1) / (len(others) + 2)
        # Where many items are bad, that says little of the service; how often proofs fail does.
        asked, lost = self._proofs_asked, self._proofs_asked - self._proofs_came
        failing = min(failing, (lost + _UNSEEN) / (asked + _UNSEEN))
        return max(FEWEST_TRIES, math.ceil(math.log(CHANCE) / math.log(failing)))

    def unreached(self, reason: str, now: float) -> None:
        """Count a request that found no connection."""
        if not self._in_a_row:
            self._since = now
        self._in_a_row += 1
        self._ever += 1
        self._reason = reason

    def settled(self, item: object) -> None:
        """Forget an item that is not asked about any more."""
        self._failed.pop(item, None)
        self._own.pop(item, None)

    def pause_s(self, now: float, rng: random.Random) -> float:
        """Return seconds until the next request: they grow with the time that it lasts."""
        return jittered(min(LONGEST_S, max(FIRST_S, now - self._since)), rng)

    def require_end(self, now: float) -> None:
        """Check that the service has not been down for too long.

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

    async def pause(
        self, item: object, clock: Clock, stop: AsyncStopSignal, rng: random.Random
    ) -> None:
        """Leave the service in peace after a failure; where it seems down, ``admitted`` does.

        It need not rest from an item that fails again and again while others are answered.

        Raises:
            StopRequested: the run is to stop.
        """
        if not self.is_suspected and self._own[item] < _RESTS:
            await stop.sleep(clock, self.pause_s(clock.now(), rng))

    def admitted(
        self, clock: Clock, stop: AsyncStopSignal, rng: random.Random
    ) -> AbstractAsyncContextManager[None]:
        """Wait, while the service seems to be down, for the turn to knock.

        Raises:
            StopRequested: the run is to stop.
        """
        return self._one_at_a_time(clock, stop, rng) if self.is_suspected else _AT_ONCE

    @asynccontextmanager
    async def _one_at_a_time(
        self, clock: Clock, stop: AsyncStopSignal, rng: random.Random
    ) -> AsyncIterator[None]:
        async with self._turn:
            if self.is_suspected:
                # Where a proof can be asked, the first is at once: it may be that all is well.
                if self._knocks or not self.has_answered:
                    await stop.sleep(clock, self.pause_s(clock.now(), rng))
                self._knocks += 1
                yield
                return
        yield
