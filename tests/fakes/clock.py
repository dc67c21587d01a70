"""A clock that stands still until it is told to go on."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass, field

NOON_IN_LOS_ANGELES = 1_764_014_400.0
"""2025-11-24 20:00 UTC: twelve hours before a quota day ends."""


@dataclass(order=True)
class _Sleeper:
    wakes_at: float
    number: int
    woken: asyncio.Event = field(compare=False, default_factory=asyncio.Event)


class FakeClock:
    """Satisfies ``shared.program.clock.Clock``; time passes in ``advance`` alone."""

    def __init__(self, now: float = NOON_IN_LOS_ANGELES) -> None:
        self._now = now
        self._sleepers: list[_Sleeper] = []
        self._slept = 0
        self._someone_sleeps = asyncio.Event()

    def now(self) -> float:
        """Return seconds since the epoch."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return once the clock was advanced by ``seconds``; at once when not positive."""
        if seconds <= 0:
            return
        self._slept += 1
        sleeper = _Sleeper(self._now + seconds, self._slept)
        heapq.heappush(self._sleepers, sleeper)
        self._someone_sleeps.set()
        try:
            await sleeper.woken.wait()
        finally:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)
                heapq.heapify(self._sleepers)

    def advance(self, seconds: float) -> None:
        """Let time pass and wake whoever slept no longer than that."""
        self._now += seconds
        while self._sleepers and self._sleepers[0].wakes_at <= self._now:
            heapq.heappop(self._sleepers).woken.set()

    def next_waking(self) -> float | None:
        """Return the seconds to the first waking; ``None`` where nothing sleeps."""
        return self._sleepers[0].wakes_at - self._now if self._sleepers else None

    async def until_asleep(self) -> float:
        """Wait until something sleeps on this clock; return the seconds to the first waking."""
        while not self._sleepers:
            self._someone_sleeps.clear()
            await self._someone_sleeps.wait()
        return self._sleepers[0].wakes_at - self._now
