"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from shared.program.clock import stopwatch
from shared.program.durations import duration

if TYPE_CHECKING:
    from rich.progress import Progress

LINE_INTERVAL_S = 10.0


class ProgressReport(Protocol):
    """What long work tells about itself."""

    def advance(self, amount: int = 1, note: str = "") -> None:
        """Count ``amount`` more as done; ``note`` (loss, rate) stands beside the count."""
        ...


class _Bar:
    def __init__(self, progress: Progress, description: str, total: int | None, done: int) -> None:
        self._progress = progress
        self._task = progress.add_task(description, total=total, completed=done, note="")

    def advance(self, amount: int = 1, note: str = "") -> None:
        if note:
            self._progress.update(self._task, advance=amount, note=note)
        else:
            self._progress.update(self._task, advance=amount)


class _Lines:
    def __init__(self, stream: TextIO, description: str, total: int | None, done: int) -> None:
        self._stream, self._description, self._total = stream, description, total
        self._done = self._before = done
        self._started = self._last = stopwatch()

    def advance(self, amount: int = 1, note: str = "") -> None:
        self._done += amount
        now = stopwatch()
        if now - self._last >= LINE_INTERVAL_S or self._done == self._total:
            self._last = now
            self._print(now, note)

    def _print(self, now: float, note: str) -> None:
        elapsed = now - self._started
        of_total = f"/{self._total}" if self._total is not None else ""
        left = ""
        if self._total is not None and self._before < self._done < self._total:
            per_piece_s = elapsed / (self._done - self._before)
            left = f", about {duration(per_piece_s * (self._total - self._done))} left"
        tail = f" {note}" if note else ""
        print(
            f"{self._description}: {self._done}{of_total} in {elapsed:.0f} s{left}{tail}",
            file=self._stream,
            flush=True,
        )


@contextmanager
def report_progress(
    description: str, total: int | None, stream: TextIO | None = None, *, done: int = 0
) -> Iterator[ProgressReport]:
    """Show progress towards ``total`` (``None`` where unknown) on ``stream``, standard error.

    ``done`` of it was done before and tells nothing about the rate.
    """
    out = stream or sys.stderr
    if not out.isatty():
        yield _Lines(out, description, total, done)
        return
    with _bars(out) as progress:
        yield _Bar(progress, description, total, done)


def _bars(stream: TextIO) -> Progress:
    # For a terminal alone; it is a tenth of what a program's start takes.
    from rich import progress  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    return progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[note]}"),
        console=Console(file=stream),
    )
