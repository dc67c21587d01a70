"""A campaign in processes of its own: killed, stopped twice, put to sleep, on a full disk."""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from curator.rehearsal.faults import Fault
from shared.program.clock import SystemClock
from tests.chaos.campaigns.promises import broken_promises, done, exceeded_windows
from tests.chaos.campaigns.scene import DAMAGED, KEYS, Scene, set_up
from tests.chaos.report import Told
from tests.curator.campaigns import Ended, ended, start_process
from tests.curator.ledger.repair.ledgers import PAGE, overwrite

AMPLE: Final = {"rpm": 5_000, "rpd": 20_000}
"""None that binds: on a clock that does not jump, a minute is a minute."""
BINDS_EVERY, WAITS_EVERY = 3, 9
"""Of so many seeds, one has quotas that bind in two projects, or in all."""
FAULTS: Final = (
    *(Fault.SLOW, Fault.DROPPED, Fault.CUT_BODY, Fault.MAX_TOKENS, Fault.NONSENSE, Fault.FENCED),
    *(Fault.NUMBERED, Fault.TRAILING_COMMA, Fault.WRONG_COUNT, Fault.SAFETY, Fault.NO_CANDIDATE),
)
"""Those after which no project rests for minutes."""
LONGEST_RUN_S: Final = 60.0
MOST_RUNS: Final = 12
UNLOGGED: Final = 64
"""So many replies may come in the 0.05 s in which the log gathers its lines."""
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def quotas_of(seed: int, listings: int) -> dict[str, dict[str, int]]:
    """Return each project's quotas: ample, or such that one has no day and one no minute to spare.

    The third one's binds in a few seeds only, for then all wait.
    """
    day, minute, last, dying = KEYS
    quotas = dict.fromkeys(KEYS, AMPLE)
    if _bind(seed):
        quotas |= {day: AMPLE | {"rpd": max(1, listings // 10)}, minute: AMPLE | {"rpm": 3}}
    if seed % WAITS_EVERY == WAITS_EVERY - 1:
        quotas |= dict.fromkeys([last, dying], AMPLE | {"rpm": max(1, listings // 2)})
    return quotas


def _bind(seed: int) -> bool:
    return seed % BINDS_EVERY == BINDS_EVERY - 1


async def chaos_of_processes(seed: int, folder: Path, listings: int) -> Told:
    """Play a seed; return what was tried and what was lost."""
    quotas = quotas_of(seed, listings)
    scene_of_seed = set_up(
        seed, folder, SystemClock(), listings=listings, quotas=quotas, faults=FAULTS
    )
    async with scene_of_seed as scene:
        lost: list[str] = []
        times = scene.die.randint(2, 6)
        for _ in range(times):
            lost += await _interrupt(scene, most=listings // (times + 1))
        lost += await _to_the_end(scene)
        if done(scene):
            with scene.captured.catching():
                out = scene.campaign.folder / "out.csv"
                exported = await scene.campaign.command("export", "--out", str(out))
                lost += [] if exported.code == 0 else [f"export: {exported.err}"]
                lost += broken_promises(scene, out)
        lost += exceeded_windows(scene)
        if _bind(seed):
            _count_full_days(scene, quotas)
        return Told.of(scene, "in processes", lost)


def _count_full_days(scene: Scene, quotas: Mapping[str, Mapping[str, int]]) -> None:
    stats = scene.service.server.stats()["projects"]
    counts = {name: stats[name]["requests"] for name in quotas.keys() & stats.keys()}
    scene.tried["a day's quota was used up"] += sum(
        count >= quotas[name]["rpd"] for name, count in counts.items()
    )


async def _start(scene: Scene) -> asyncio.subprocess.Process:
    return await scene.campaign.start(
        *("--keys", str(scene.keys_file), "--concurrency", str(scene.concurrency)),
        *("--retry-dead", "--timeout", "10"),
    )


async def _interrupt(scene: Scene, most: int) -> list[str]:
    """Start a run and let something befall it; return what it did that it should not have."""
    process = await _start(scene)
    waiting = asyncio.create_task(scene.until_asked(scene.die.randint(1, max(1, most))))
    over = asyncio.create_task(process.wait())
    await asyncio.wait([waiting, over], return_when=asyncio.FIRST_COMPLETED, timeout=LONGEST_RUN_S)
    waiting.cancel()
    befalls = scene.die.choice([_kill, _stop_twice, _put_to_sleep, _fill_its_disk, _go_away])
    allowed = await befalls(scene, process) if not over.done() else {0, 1, 75}
    lost = await _over(scene, process, allowed)
    after = scene.die.choice([None, None, None, _lose_newest_changes, _damage])
    # What is lost with a part of the ledger was counted by the service alone.
    return lost + (await after(scene) if after and not _bind(scene.seed) else [])


async def _over(scene: Scene, process: asyncio.subprocess.Process, allowed: set[int]) -> list[str]:
    try:
        async with asyncio.timeout(LONGEST_RUN_S):
            result = await ended(process)
    except TimeoutError:
        process.kill()
        await process.wait()
        scene.broken_off("took too long")
        return []
    scene.captured.everything += [result.out, result.err]
    scene.tried[f"ended with {result.code}"] += 1
    return _faults_of(result, allowed)


def _faults_of(result: Ended, allowed: set[int]) -> list[str]:
    if "Traceback" in result.err or "Exception ignored" in result.err:
        return [f"a traceback: {result.err[-1_500:]}"]
    return (
        [] if result.code in allowed else [f"a run ended with {result.code}: {result.err[-500:]}"]
    )


def _send(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)


async def _kill(scene: Scene, process: asyncio.subprocess.Process) -> set[int]:
    scene.broken_off("kill -9")
    _send(process, signal.SIGKILL)
    return {-signal.SIGKILL, 0}


async def _stop_twice(scene: Scene, process: asyncio.subprocess.Process) -> set[int]:
    scene.broken_off("two signals")
    for _ in range(2):
        _send(process, scene.die.choice(_SIGNALS))
        await asyncio.sleep(scene.die.uniform(0.0, 0.2))
    return {75, 0}


async def _put_to_sleep(scene: Scene, process: asyncio.subprocess.Process) -> set[int]:
    scene.tried["SIGSTOP"] += 1
    _send(process, signal.SIGSTOP)
    await asyncio.sleep(scene.die.uniform(0.1, 1.0))
    if scene.die.random() < 0.5:
        return await _kill(scene, process)
    _send(process, signal.SIGCONT)
    return {0, 1, 75}


async def _fill_its_disk(scene: Scene, process: asyncio.subprocess.Process) -> set[int]:
    scene.broken_off("a full disk")
    sizes = [path.stat().st_size for path in scene.campaign.folder.glob("campaign.db*")]
    most = max(sizes, default=0) + scene.die.randrange(20_000)
    if process.returncode is None:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
    return {0, 1, 75}


async def _go_away(scene: Scene, process: asyncio.subprocess.Process) -> set[int]:
    await scene.go_away()
    await asyncio.sleep(scene.die.uniform(0.05, 0.5))
    await scene.come_back()
    # What was on its way when the service went may have been answered, and not told.
    scene.in_flight += scene.concurrency
    return {0, 1, 75}


async def _lose_newest_changes(scene: Scene) -> list[str]:
    """Take the write-ahead log of a run that was killed away."""
    newest = scene.beside("-wal")
    if newest.exists() and newest.stat().st_size:
        scene.tried["the WAL is gone"] += 1
        scene.in_flight += UNLOGGED
        for path in (newest, scene.beside("-shm")):
            path.unlink(missing_ok=True)
    return []


async def _damage(scene: Scene) -> list[str]:
    """Overwrite a fifth of the ledger's pages, and put what can be repaired in its place."""
    ledger, new = scene.campaign.ledger, scene.campaign.folder / "new.db"
    pages = range(1, ledger.stat().st_size // PAGE + 1)
    for number in scene.die.sample(pages, k=len(pages) // 5):
        overwrite(ledger, number, scene.die.randbytes(PAGE))
    scene.tried[DAMAGED] += 1
    scene.in_flight += UNLOGGED
    result = await ended(await start_process("repair", str(ledger), "--to", str(new)))
    scene.captured.everything += [result.out, result.err]
    if lost := _faults_of(result, {0}):
        return lost
    for suffix in ("", "-wal", "-shm"):
        scene.beside(suffix).unlink(missing_ok=True)
    new.rename(ledger)
    return []


async def _to_the_end(scene: Scene) -> list[str]:
    lost: list[str] = []
    for _ in range(MOST_RUNS):
        lost += await _over(scene, await _start(scene), {0, 1, 75})
        if done(scene):
            return lost
    return [*lost, f"not done after {MOST_RUNS} runs"]
