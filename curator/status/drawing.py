"""A run's view on a terminal, redrawn in place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Final, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from curator.status.status import SHED, Standing, rate_per_minute
from curator.status.view import keys_view
from curator.status.words import batch_words, error_words, listed, settled_of, time_left
from shared.program.clock import Clock

DRAW_EVERY_S: Final = 0.5
_OTHER_LINES: Final = 8
_FEWEST_KEYS: Final = 3


async def draw(look: Callable[[], tuple[Standing, float]], wall: Clock, out: TextIO) -> None:
    """Draw what ``look`` gives on ``out`` until it is cancelled."""
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


def view(standing: Standing, now: float, height: int) -> RenderableType:
    """Return the view for a terminal of ``height`` lines."""
    report = standing.report
    settled, total = settled_of(standing)
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
    errors = error_words(standing) or "none"
    facts.add_row("errors", Text(errors, no_wrap=True, overflow="ellipsis"))
    if report.batches.requests_held:
        facts.add_row("batch jobs", batch_words(report.batches, now))
    if report.opinions.chosen:
        facts.add_row("second opinions", listed(asdict(report.opinions)))
    most = max(_FEWEST_KEYS, height - _OTHER_LINES)
    return Group(bar, facts, Text(), keys_view(report, now, most))
