"""A campaign in this process, on a clock that jumps: quotas bind, days pass, runs are cut off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.endpoints.models.tier import Tier
from shared.endpoints.pool.exhaustion import OnExhausted
from tests.chaos.campaigns.promises import broken_promises, done, exceeded_windows
from tests.chaos.campaigns.scene import KEYS, Scene, set_up
from tests.chaos.report import Told
from tests.curator.campaigns import Ended
from tests.fakes.clock import FakeClock

QUOTAS = {project: {"rpm": 30, "tpm": 60_000, "rpd": 90} for project in KEYS}
MOST_RUNS = 60
QUIET_TURNS, TURN_S = 6, 0.001
"""Turns of the loop, and real seconds each, in which whatever was sent in it arrives."""


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


async def chaos_within(seed: int, folder: Path, listings: int) -> Told:
    """Play a seed; return what was tried and what was lost."""
    clock = FakeClock(time.time())
    async with set_up(seed, folder, clock, listings=listings, quotas=QUOTAS) as scene:
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
    """

    async def pass_it() -> None:
        while True:
            await clock.until_asleep()
            quiet, seen = 0, _happened(scene)
            while quiet < QUIET_TURNS:
                await asyncio.sleep(TURN_S)
                quiet = quiet + 1 if seen == (seen := _happened(scene)) else 0
            if (left := clock.next_waking()) is not None:
                clock.advance(left)

    task = asyncio.create_task(pass_it())
    try:
        yield
    finally:
        task.cancel()


def _happened(scene: Scene) -> tuple[int, int]:
    stats = scene.campaign.server.stats()
    return stats["requests"], stats["replies"]


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
    ended = await broken_off(scene.campaign, clock, until, tier=tier, **_options(scene))
    disturbing.cancel()
    await asyncio.gather(disturbing, return_exceptions=True)
    if scene.is_away:
        await scene.come_back()
    if ended is None:
        scene.broken_off(f"cut off ({tier})")
    else:
        scene.tried[f"ended with {ended.code}"] += 1


async def _disturb(scene: Scene, clock: FakeClock) -> None:
    """Let the service go away for a moment, and meanwhile time pass by the hour, now and then."""
    while True:
        await scene.until_asked(scene.die.randint(1, scene.listings // 2))
        await scene.go_away()
        if scene.die.random() < 0.5:
            # With nothing on its way, for nobody could know when that arrives.
            scene.tried["the clock jumped"] += 1
            clock.advance(scene.die.choice([7.0, 61.0, 3_600.0, 86_400.0]))
        await asyncio.sleep(scene.die.uniform(0.0, 0.05))
        await scene.come_back()


async def _to_the_end(scene: Scene, clock: FakeClock) -> list[str]:
    ended = Ended(75, "", "")
    for _ in range(MOST_RUNS):
        ended = await scene.campaign.run(clock, **_options(scene))
        scene.tried[f"ended with {ended.code}"] += 1
        if "Traceback" in ended.err:
            return [f"a traceback: {ended.err[-1_500:]}"]
        if ended.code == 0 and done(scene):
            return []
        # What a run ends with for now, time mends: a key that rests, a project without credit.
        clock.advance(3_600.0)
    return [f"not done after {MOST_RUNS} runs: {ended.code}, {ended.err.splitlines()[-1:]}"]
