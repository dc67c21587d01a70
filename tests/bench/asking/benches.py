"""What ``make bench`` measures of the curator: whole runs, and how fast the ledger writes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.bench.asking.race import Race, run_contender, run_curator, write_course
from tests.bench.asking.results import writing
from tests.bench.measure import Comparison, compare

REQUESTS = 3_000
RESULTS = 2_000
WANTED = 1_000
"""Results a second."""


def bench_requests(folder: Path) -> list[Comparison]:
    """``curator run`` against the bare SDK and a bare HTTP loop, 100 at a time, no quota."""
    write_course(folder, REQUESTS)
    asked = Race(folder, REQUESTS)
    aiohttp, sdk = (run_contender(name, asked) for name in ("aiohttp", "google-genai"))
    ours = run_curator(asked)
    what = f"curator run, {asked.latency_s * 1000:.0f} ms, against"
    return [
        Comparison(f"{what} bare google-genai", "requests/s", sdk.rate, ours.rate),
        Comparison(f"{what} bare aiohttp", "requests/s", aiohttp.rate, ours.rate),
        Comparison(
            f"{what} bare google-genai", "requests/CPU s", 1000 / sdk.cpu_ms, 1000 / ours.cpu_ms
        ),
        Comparison(f"{what} 150 MB", "1/GB", 1000 / 150, 1000 / ours.peak_mb),
    ]


def bench_ledger(folder: Path) -> list[Comparison]:
    """Results of ten pairs, begun and finished: in groups, and each in transactions of its own."""
    turns = iter(range(100))

    def written(width: int) -> None:
        asyncio.run(_write(folder / f"{next(turns)}.db", width))

    unit = "results/s"
    what = "ledger, 100 workers against"
    found = compare(f"{what} 1", unit, RESULTS, lambda: written(1), lambda: written(100), rounds=1)
    return [found, Comparison(f"{what} the goal", unit, WANTED, found.ours)]


async def _write(path: Path, workers: int) -> None:
    async with writing(path, RESULTS) as write:
        waiting = iter(range(1, RESULTS + 1))

        async def work() -> None:
            for item in waiting:
                await write(item)

        await asyncio.gather(*(work() for _ in range(workers)))
