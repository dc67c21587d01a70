"""A run as its user sees it: a view that is redrawn on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Final, TextIO

from curator.status.status import SHED, Standing, key_state, rate_per_minute
from curator.status.words import batch_words, error_words, listed, settled_of
from shared.program.clock import Clock
from shared.program.durations import duration
from shared.program.process.background import beside

LINE_EVERY_S: Final = 10.0
QUIET_EVERY_S: Final = 600.0
"""Seconds between two lines while nothing changes but the time, as when quota is waited for."""

Look = Callable[[], tuple[Standing, float]]
"""Gives the campaign's standing and the time, seconds since the epoch."""


@asynccontextmanager
async def shown(look: Look, wall: Clock, stream: TextIO | None = None) -> AsyncIterator[None]:
    """Show the run for the time of the block on ``stream``, standard error.

    ``wall`` is the watcher's clock, whatever clock the campaign goes by.
    """
    out = stream or sys.stderr
    if out.isatty():
        # It takes rich, which is slow to import and of no use without a terminal.
        from curator.status.drawing import draw as show  # noqa: PLC0415
    else:
        show = _lines
    try:
        async with beside(show(look, wall, out), "view"):
            yield
    finally:
        if not out.isatty():
            print(line(*look()), file=out, flush=True)


async def _lines(look: Look, wall: Clock, out: TextIO) -> None:
    last, quiet_s = "", 0.0
    while True:
        await wall.sleep(LINE_EVERY_S)
        quiet_s += LINE_EVERY_S
        standing, now = look()
        if _counts(standing) != last or quiet_s >= QUIET_EVERY_S:
            print(line(standing, now), file=out, flush=True)
            last, quiet_s = _counts(standing), 0.0


def _counts(standing: Standing) -> str:
    return f"{standing.report.progress} {standing.report.outcomes}"


def line(standing: Standing, now: float) -> str:
    """Return the same in one line."""
    report = standing.report
    settled, total = settled_of(standing)
    states = Counter(key_state(key, report, now)[0].value for key in report.keys)
    ends_at = standing.forecast.ends_at
    parts = [
        f"curating: {settled:,} of {total:,}",
        f"{report.progress.dead:,} given up",
        f"{rate_per_minute(report):,.1f} a minute",
    ]
    if ends_at is not None and (settled < total or report.opinions.waiting):
        parts.append(f"{duration(ends_at - now)} left")
    parts.append(f"keys: {listed(states)}")
    if report.opinions.chosen:
        parts.append(f"second opinions: {listed(asdict(report.opinions))}")
    if shed := report.outcomes.get(SHED, 0):
        parts.append(f"shed {shed:,}")
    if report.batches.requests_held:
        parts.append(f"batch jobs: {batch_words(report.batches, now)}")
    if errors := error_words(standing):
        parts.append(f"errors: {errors}")
    return "; ".join(parts)
