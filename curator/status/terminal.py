"""A run as its user sees it: a view that is redrawn on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Final, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from curator.status.status import NOT_ERRORS, SHED, Standing, key_state, rate_per_minute
from curator.status.view import keys_view
from curator.status.words import batch_words, listed, time_left
from shared.program.background import beside
from shared.program.clock import Clock
from shared.program.durations import duration

DRAW_EVERY_S: Final = 0.5
LINE_EVERY_S: Final = 10.0
QUIET_EVERY_S: Final = 600.0
"""Seconds between two lines while nothing changes but the time, as when quota is waited for."""
_OTHER_LINES: Final = 8
_FEWEST_KEYS: Final = 3

Look = Callable[[], tuple[Standing, float]]
"""Gives the campaign's standing and the time, seconds since the epoch."""


@asynccontextmanager
async def shown(look: Look, wall: Clock, stream: TextIO | None = None) -> AsyncIterator[None]:
    """Show the run for the time of the block on ``stream``, standard error.

    ``wall`` is the watcher's clock, whatever clock the campaign goes by.
    """
    out = stream or sys.stderr
    showing = _view(look, wall, out) if out.isatty() else _lines(look, wall, out)
    try:
        async with beside(showing, "view"):
            yield
    finally:
        if not out.isatty():
            print(line(*look()), file=out, flush=True)


async def _view(look: Look, wall: Clock, out: TextIO) -> None:
    console = Console(file=out)
    # Drawn by this loop, not by a thread of its own: what is shown changes on this loop only.
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(view(*look(), console.height), refresh=True)
            try:
                await wall.sleep(DRAW_EVERY_S)
            except asyncio.CancelledError:
                live.update(view(*look(), console.height), refresh=True)
                raise


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


def view(standing: Standing, now: float, height: int) -> RenderableType:
    """Return the view for a terminal of ``height`` lines."""
    report = standing.report
    settled, total = _settled(standing)
    bar = Table.grid(padding=(0, 2))
    bar.add_row(
        "curating",
        ProgressBar(total=total or 1, completed=settled, width=40),
        f"{settled:,} of {total:,}",
        f"{settled / total:.1%}" if total else "",
        f"{report.progress.dead:,} given up" if report.progress.dead else "",
    )
    facts = Table.grid(padding=(0, 2))
    facts.add_row("rate", f"{rate_per_minute(report):,.1f} images a minute, {report.pairs:,} pairs")
    facts.add_row("time left", time_left(standing, now))
    if shed := report.outcomes.get(SHED, 0):
        facts.add_row("no room", f"{shed:,} requests were shed, and are sent again")
    errors = _errors(standing) or "none"
    facts.add_row("errors", Text(errors, no_wrap=True, overflow="ellipsis"))
    if report.batches.requests_held:
        facts.add_row("batch jobs", batch_words(report.batches, now))
    if report.opinions.chosen:
        facts.add_row("second opinions", listed(asdict(report.opinions)))
    most = max(_FEWEST_KEYS, height - _OTHER_LINES)
    return Group(bar, facts, Text(), keys_view(report, now, most))


def line(standing: Standing, now: float) -> str:
    """Return the same in one line."""
    report = standing.report
    settled, total = _settled(standing)
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
    if errors := _errors(standing):
        parts.append(f"errors: {errors}")
    return "; ".join(parts)


def _settled(standing: Standing) -> tuple[int, int]:
    progress = standing.report.progress
    goal = progress.total if standing.goal is None else standing.goal
    return progress.done + progress.dead, goal


def _errors(standing: Standing) -> str:
    counts, reasons = standing.report.outcomes, standing.last_errors
    names = sorted((counts.keys() | reasons.keys()) - NOT_ERRORS)
    return ", ".join(_error(name, counts.get(name, 0), reasons.get(name, "")) for name in names)


def _error(name: str, count: int, reason: str) -> str:
    told = f"{name} {count:,}" if count else name
    return f"{told} ({reason})" if reason else told
