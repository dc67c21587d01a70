"""Runs a campaign without requests: the real pool of keys on a clock that only this module moves.

Quota days that repeat are counted at once, for a campaign on free keys takes months of them.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any, Final

from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota_day import PACIFIC, day_start, next_day, quota_date
from shared.endpoints.pool.exhaustion import KeysExhausted, OnExhausted
from shared.endpoints.pool.lease import Lease
from shared.endpoints.pool.pool import KeyPool
from shared.endpoints.pool.records import Meter, ProjectRecord, ProjectUse
from shared.errors import InputError
from shared.program.async_stopping import AsyncStopSignal
from shared.program.durations import DAY_S
from shared.value_class import value_class

UNUSED: Final[Mapping[Any, Any]] = MappingProxyType({})


class VirtualClock:
    """Satisfies ``Clock``; a sleep is over at once and took as long as asked."""

    def __init__(self, now: float) -> None:
        self.time = now

    def now(self) -> float:
        """Return seconds since the epoch, UTC, as far as the simulation is."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self.time += max(0.0, seconds)


@value_class
class DaySpan:
    """``days`` quota days in a row, each with the same ``requests`` by project and model.

    ``canaries`` are those of them that ask again what was asked before. The keys of a project take
    turns, so each has an even share; whose is one more than the others' changes from day to day.
    """

    first: date
    days: int
    requests: Mapping[Meter, int]
    canaries: Mapping[Meter, int] = field(default_factory=dict)

    @property
    def progress(self) -> int:
        """The requests of each day that bring the campaign on."""
        return sum(self.requests.values()) - sum(self.canaries.values())


@value_class
class Course:
    """How a campaign goes: when it ends, seconds since the epoch, and its days."""

    ends_at: float
    spans: tuple[DaySpan, ...]


@value_class
class Load:
    """What is asked: so many requests, of so many input tokens by model.

    ``latency_s`` is how long each is under way, ``concurrency`` how many are at most. Besides, each
    model in use is asked so many questions again each day as ``canaries`` says, but not today those
    in ``asked_today``.
    """

    requests: int
    tokens: Mapping[str, int]
    latency_s: float
    concurrency: int
    canaries: int = 0
    asked_today: Collection[str] = ()


async def simulate(
    keys: Sequence[Key],
    models: Sequence[AskedModel],
    load: Load,
    now: float,
    *,
    use: Mapping[Meter, ProjectUse] = UNUSED,
    records: Mapping[Meter, ProjectRecord] = UNUSED,
    closed: Collection[Meter] = (),
) -> Course:
    """Return the course of a campaign that starts at ``now``.

    ``models`` are in order of preference. ``use`` and ``records`` say what was used of the windows,
    and which cool-downs and limits were learned; without them the keys are unused. ``closed`` are
    not asked.

    Raises:
        InputError: no key can ever take such a request, or canaries take all quota.
    """
    clock = VirtualClock(now)
    pool = KeyPool(
        keys,
        models,
        clock=clock,
        stop=AsyncStopSignal(),
        on_exhausted=OnExhausted.STOP,
        rng=random.Random(0),
        use=use,
        records={meter: _lasting(record, now) for meter, record in records.items()},
        closed=closed,
    )
    calendar = _Calendar(now)
    owed = _Canaries(load.canaries, now, load.asked_today)
    in_flight: list[float] = []
    left = load.requests
    while left:
        if len(in_flight) == load.concurrency:
            clock.time = max(clock.time, heapq.heappop(in_flight))
        lease = await _next_lease(pool, load.tokens, clock)
        if skipped := calendar.turn_to(lease.at, left):
            pool.give_back(lease)
            clock.time += skipped * DAY_S
            left -= skipped * calendar.progress_of_last_day
            continue
        is_canary = owed.take(lease.model, lease.at)
        calendar.count(lease.meter, is_canary=is_canary)
        pool.settle(lease, load.tokens[lease.model])
        heapq.heappush(in_flight, lease.at + load.latency_s)
        left -= not is_canary
        # The loop's other work, such as a signal, gets its turn.
        if left % 10_000 == 0:
            await asyncio.sleep(0)
    return Course(max(in_flight, default=now), calendar.spans())


def _lasting(record: ProjectRecord, now: float) -> ProjectRecord:
    """Return a record whose limits last: a plan that forgot them would promise too much."""
    learned = {
        name: replace(limit, at=math.inf)
        for name, limit in record.learned.items()
        if limit.holds(limit.stated, now)
    }
    return replace(record, learned=learned)


async def _next_lease(pool: KeyPool, tokens: Mapping[str, int], clock: VirtualClock) -> Lease:
    while True:
        try:
            return await pool.lease(tokens)
        except KeysExhausted as exhausted:
            if exhausted.opens_at is None:
                raise InputError(
                    f"no key can take a request of {min(tokens.values())} tokens; "
                    "raise tpm in the keys file"
                ) from exhausted
            clock.time = exhausted.opens_at


class _Canaries:
    """Which requests are canaries: the first of a model on each day."""

    def __init__(self, count: int, now: float, asked_today: Collection[str]) -> None:
        self._count = count
        self._taken = Counter({(model, quota_date(now)): count for model in asked_today})

    def take(self, model: str, now: float) -> bool:
        """Count a request, and return whether it is one."""
        if not self._count:
            return False
        of_day = model, quota_date(now)
        self._taken[of_day] += 1
        return self._taken[of_day] <= self._count


class _Calendar:
    """The quota days so far, and how many of them may be counted at once."""

    def __init__(self, now: float) -> None:
        self._spans: list[DaySpan] = []
        self._today: Counter[Meter] = Counter()
        self._canaries: Counter[Meter] = Counter()
        self._start = day_start(now)
        self._end = next_day(now)

    @property
    def progress_of_last_day(self) -> int:
        return self._spans[-1].progress

    def count(self, meter: Meter, *, is_canary: bool) -> None:
        self._today[meter] += 1
        if is_canary:
            self._canaries[meter] += 1

    def turn_to(self, now: float, left: int) -> int:
        """Close the day if ``now`` is after it; return how many days like it follow unseen.

        Those days are counted. Only days of the same length are, so that daylight saving's two
        odd days are simulated.

        Raises:
            InputError: such days bring the campaign no further.
        """
        if now < self._end:
            return 0
        closed = self._close(now)
        whole = len(self._spans) > 1 and _are_alike(self._spans[-2], closed)
        per_day = closed.progress
        if whole and closed.canaries and not per_day:
            raise InputError("canaries take all quota of a day; give fewer with --canary")
        if not whole or per_day == 0:
            return 0
        skipped = 0
        # The last day is simulated too, to learn when in it the campaign ends.
        while (skipped + 1) * per_day < left and self._end - self._start == DAY_S:
            skipped += 1
            self._start, self._end = self._end, next_day(self._end)
        if skipped:
            self._spans.append(DaySpan(_date(now), skipped, closed.requests, closed.canaries))
        return skipped

    def spans(self) -> tuple[DaySpan, ...]:
        """Return all days, those that follow each other and are equal in one span."""
        self._close(self._end)
        merged: list[DaySpan] = []
        for span in self._spans:
            last = merged[-1] if merged else None
            if last and _are_alike(last, span):
                merged[-1] = replace(last, days=last.days + span.days)
            else:
                merged.append(span)
        return tuple(merged)

    def _close(self, now: float) -> DaySpan:
        closed = DaySpan(_date(self._start), 1, dict(self._today), dict(self._canaries))
        self._spans.append(closed)
        self._today, self._canaries = Counter(), Counter()
        self._start, self._end = day_start(now), next_day(now)
        return closed


def _are_alike(one: DaySpan, other: DaySpan) -> bool:
    return (one.requests, one.canaries) == (other.requests, other.canaries)


def _date(now: float) -> date:
    return datetime.fromtimestamp(now, UTC).astimezone(PACIFIC).date()
