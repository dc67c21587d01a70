"""A plain rate for all keys together, and what it lets through where the pool's windows do not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence

import pytest
from asyncio_throttle import Throttler

from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import Quota
from shared.endpoints.pool.exhaustion import OnExhausted
from shared.endpoints.pool.pool import KeyPool
from shared.endpoints.pool.rate import PlainRate
from shared.endpoints.pool.usage import ARRIVAL_S, Usage
from shared.program.async_stopping import AsyncStopSignal, StopRequested
from shared.program.clock import SystemClock, stopwatch
from shared.program.durations import MINUTE_S

MODEL = "m"
SHORT_MINUTE_S = 0.3
LIMIT = 20
SLOW_S = 0.2
"""What it takes to connect for the first time; afterwards it takes nothing."""


def most_within(times: Iterable[float], span: float) -> int:
    """The most requests that any stretch of ``span`` holds."""
    at = sorted(times)
    return max(sum(start <= other < start + span for other in at) for start in at)


async def test_no_minute_holds_more_and_the_requests_are_spread():
    rate, started = PlainRate(LIMIT, SHORT_MINUTE_S), stopwatch()
    burst = LIMIT // 10
    for number in range(LIMIT + LIMIT // 2):
        await rate.admit(AsyncStopSignal())
        assert stopwatch() - started >= (number // burst) * SHORT_MINUTE_S / 10


async def test_the_rate_holds_for_all_keys_together_and_they_still_take_turns():
    keys = [Key(label, label, f"AIzaSecret{label}") for label in "ab"]
    pool = KeyPool(
        keys,
        [AskedModel(MODEL)],
        clock=SystemClock(),
        stop=AsyncStopSignal(),
        on_exhausted=OnExhausted.STOP,
        rng=random.Random(0),
        use={},
        records={},
        rate=PlainRate(10, SHORT_MINUTE_S),
    )
    started = stopwatch()
    leases = await asyncio.gather(*(pool.lease({MODEL: 1}) for _ in range(6)))
    assert stopwatch() - started >= 5 * SHORT_MINUTE_S / 10
    assert sorted(lease.key.label for lease in leases) == ["a", "a", "a", "b", "b", "b"]


async def test_a_stop_ends_the_wait():
    stop, rate = AsyncStopSignal(), PlainRate(1)
    await rate.admit(stop)
    waiting = asyncio.ensure_future(rate.admit(stop))
    await asyncio.sleep(0)
    stop.request("enough")
    with pytest.raises(StopRequested):
        await waiting


@pytest.mark.slow
async def test_what_leaves_in_order_may_arrive_twice_as_much_within_a_minute():
    """Why the pool counts its own windows: the first connections are slow, the next are open."""
    minute_s = MINUTE_S / 10
    throttler = Throttler(LIMIT, period=minute_s)
    left = []
    for _ in range(2 * LIMIT):
        await throttler.acquire()
        left.append(stopwatch())
    arrived = [*(time + SLOW_S / 10 for time in left[:LIMIT]), *left[LIMIT:]]
    assert most_within(left, 0.99 * minute_s) == LIMIT
    assert most_within(arrived, minute_s) == 2 * LIMIT


def test_the_pools_windows_hold_although_the_first_connections_are_slow():
    assert most_within(arrivals_by_the_pools_windows(), MINUTE_S) == LIMIT


def arrivals_by_the_pools_windows() -> Sequence[float]:
    quota, usage, now = Quota(rpm=LIMIT), Usage(0.0), 0.0
    arrivals = []
    for number in range(2 * LIMIT):
        now = usage.opening(quota, 1, now).at
        usage.end(usage.reserve(1, now), now + ARRIVAL_S)
        arrivals.append(now + (SLOW_S if number < LIMIT else 0.0))
    return arrivals
