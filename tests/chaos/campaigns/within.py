"""A campaign in this process, on a clock that jumps: quotas bind, days pass, runs are cut off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

from shared.endpoints.models.tier import Tier
from shared.endpoints.pool.exhaustion import OnExhausted
from shared.program.clock import SystemClock
from tests.chaos.campaigns.promises import broken_promises, done, exceeded_windows
from tests.chaos.campaigns.scene import KEYS, Scene, set_up
from tests.chaos.campaigns.threads import other_threads
from tests.chaos.report import Told
from tests.curator.campaigns import Ended
from tests.fakes.clock import FakeClock

QUOTAS = {project: {"rpm": 30, "tpm": 60_000, "rpd": 90} for project in KEYS}
BINDS_EVERY = 3
"""Of so many seeds, one has quotas that bind in every minute and on every day."""
MOST_RUNS = 60
SPANS_S = 7.0, 61.0, 3_600.0, 86_400.0
"""A few seconds, a minute, an hour and a day."""
QUIET_TURNS, TURN_S = 6, 0.001
"""Turns of the loop, and real seconds each, in which whatever was sent in it arrives."""


class MachinesClock(SystemClock):
    """The clock of a machine on which time passes as on another one, and which may be set."""

    def __init__(self, time_that_passes: FakeClock) -> None:
        self._passing, self._set_by_s = time_that_passes, 0.0
        super().__init__(lambda: self._passing.now() + self._set_by_s, self._passing.now)

    def set_by(self, seconds: float) -> None:
        """Set it ahead, or back where that is negative."""
        self._set_by_s += seconds

    async def sleep(self, seconds: float) -> None:
        """Return once so much time has passed."""
        await self._passing.sleep(seconds)


async def broken_off(campaign, clock, until, **options):
    """Run until something else is over; return how the run ended, ``None`` where it was cut off."""
    running, waiting = (
        asyncio.create_task(campaign.run(clock, **options)),
        asyncio.ensure_future(until),
    )
    await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
    running.cancel()
    waiting.cancel()
    ended, _ = await asyncio.gather(running, waiting, return_exceptions=True)
    return None if isinstance(ended, BaseException) else ended


def quotas_of(seed: int, listings: int) -> dict[str, dict[str, int]]:
    """Return each project's quotas."""
    if seed % BINDS_EVERY != BINDS_EVERY - 1:
        return QUOTAS
    return {project: {"rpm": 4, "tpm": 60_000, "rpd": max(8, listings // 5)} for project in KEYS}


async def chaos_within(seed: int, folder: Path, listings: int) -> Told:
    """Play a seed; return what was tried and what was lost."""
    clock, quotas = FakeClock(time.time()), quotas_of(seed, listings)
    async with set_up(seed, folder, clock, listings=listings, quotas=quotas) as scene:
        with scene.captured.catching(), passing(clock, scene):
            for _ in range(scene.die.randint(2, 6)):
                await _interrupt(scene, clock)
            lost = await _to_the_end(scene, clock)
            if not lost:
                out = scene.campaign.folder / "out.csv"
                exported = await scene.campaign.command("export", "--out", str(out))
                lost = [] if exported.code == 0 else [f"export: {exported.err}"]
                lost += broken_promises(scene, out)
            lost += exceeded_windows(scene)
        return Told.of(scene, "within", lost)


@contextmanager
def passing(clock: FakeClock, scene: Scene) -> Iterator[None]:
    """Let time pass to the next waking whenever nothing else happens for a moment.

    So no time passes between the departure of a request and its arrival, and none is waited for.
    On a busy machine a moment is no proof of that: a thread that prepares a picture may have had no
    core in it.
    """

    async def pass_it() -> None:
        while True:
            await clock.until_asleep()
            quiet, seen = 0, _happened(scene)
            while quiet < QUIET_TURNS:
                await asyncio.sleep(TURN_S)
                is_same = seen == (seen := _happened(scene))
                is_idle = not any(wants_to_run for wants_to_run, _ in seen.threads.values())
                quiet = quiet + 1 if is_same and is_idle else 0
            if (left := clock.next_waking()) is not None:
                clock.advance(left)

    task = asyncio.create_task(pass_it())
    try:
        yield
    finally:
        task.cancel()


class _Happened(NamedTuple):
    requests: int
    replies: int
    threads: dict[str, tuple[bool, int]]


def _happened(scene: Scene) -> _Happened:
    stats = scene.campaign.server.stats()
    return _Happened(stats["requests"], stats["replies"], other_threads())


def _options(scene: Scene) -> dict:
    return {
        "keys": scene.keys_file,
        "concurrency": scene.concurrency,
        "on_exhausted": OnExhausted.WAIT,
        "retry_dead": True,
        "timeout_s": 5.0,
        "verify": scene.verify,
    }


async def _interrupt(scene: Scene, clock: FakeClock) -> None:
    tier = scene.die.choice([Tier.STANDARD] * 6 + [Tier.FLEX, Tier.BATCH])
    disturbing = asyncio.create_task(_disturb(scene, clock))
    pause_s, count = scene.die.uniform(0.05, 0.8), scene.die.randint(1, scene.listings // 3)
    until = asyncio.sleep(pause_s) if tier is Tier.BATCH else scene.until_asked(count)
    async with _clock_to_run_by(scene, clock) as machines:
        ended = await broken_off(scene.campaign, machines, until, tier=tier, **_options(scene))
    disturbing.cancel()
    await asyncio.gather(disturbing, return_exceptions=True)
    if scene.is_away:
        await scene.come_back()
    if ended is None:
        scene.broken_off(f"cut off ({tier})")
    else:
        scene.tried[f"ended with {ended.code}"] += 1


@asynccontextmanager
async def _clock_to_run_by(scene: Scene, clock: FakeClock) -> AsyncIterator[MachinesClock]:
    """Yield the machine's clock, which is set meanwhile now and then; the service's is not."""
    machines = MachinesClock(clock)

    async def set_it() -> None:
        while True:
            await scene.until_asked(scene.die.randint(1, scene.listings // 4))
            scene.tried["the machine's clock was set"] += 1
            machines.set_by(scene.die.choice([-1, 1]) * scene.die.choice(SPANS_S))

    setting = asyncio.create_task(set_it())
    try:
        yield machines
    finally:
        setting.cancel()


async def _disturb(scene: Scene, clock: FakeClock) -> None:
    """Let the service go away for a moment, and meanwhile time pass by the hour, now and then."""
    while True:
        await scene.until_asked(scene.die.randint(1, scene.listings // 2))
        await scene.go_away()
        if scene.die.random() < 0.5:
            # With nothing on its way, for nobody could know when that arrives.
            scene.tried["the clock jumped"] += 1
            clock.advance(scene.die.choice(SPANS_S))
        await asyncio.sleep(scene.die.uniform(0.0, 0.05))
        await scene.come_back()


async def _to_the_end(scene: Scene, clock: FakeClock) -> list[str]:
    ended = Ended(75, "", "")
    for _ in range(MOST_RUNS):
        async with _clock_to_run_by(scene, clock) as machines:
            ended = await scene.campaign.run(machines, **_options(scene))
        scene.tried[f"ended with {ended.code}"] += 1
        if "Traceback" in ended.err:
            return [f"a traceback: {ended.err[-1_500:]}"]
        if ended.code == 0 and done(scene):
            return []
        # What a run ends with for now, time mends: a key that rests, a project without credit.
        clock.advance(3_600.0)
    return [f"not done after {MOST_RUNS} runs: {ended.code}, {ended.err.splitlines()[-1:]}"]
