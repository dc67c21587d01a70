"""Prints the race of all contenders; the peers run where ``make bench-peers`` installed them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.bench.asking.race import Run, Shape, run_contender, run_curator, shape_of, write_course
from tests.bench.asking.shares import cpu_shares

OURS = "curator run"
PEERS = ("litellm", "bespokelabs-curator")
BOUND = """\
What bounds it: one Python interpreter. The event loop works two thirds of the time; for the rest it
waits until a thread (photos, the ledger) hands the interpreter over, and requests for the commit of
their group. The latency of the service bounds nothing here, as 100 requests wait at once; in real
use the quotas bound everything. What is fixed is imports for the most part: google-genai,
SQLAlchemy, aiohttp, and Alembic where the ledger is new."""


def main(
    peers: Annotated[Path, typer.Option(help="folder with an environment for each peer")],
    requests: Annotated[list[int] | None, typer.Option(help="images to ask about; again")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="turns of each; told is the median run")] = 3,
) -> None:
    """Race over each number of requests; from the least and the most, tell apart what is fixed."""
    lengths = sorted(set(requests or [500, 3_000]))
    names = [OURS, "aiohttp", "google-genai", *PEERS]
    console = Console(width=132)
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_course(folder, lengths[-1])
        runs = {count: _median_runs(folder, count, names, peers, rounds) for count in lengths}
        parts = cpu_shares(folder)
    for count, found in runs.items():
        console.print(_race_table(count, found))
    if len(lengths) > 1:
        shapes = [
            shape_of(short, runs[lengths[-1]][name])
            for name, short in runs[lengths[0]].items()
            if name in runs[lengths[-1]]
        ]
        console.print(_shape_table(shapes, lengths))
    console.print(_shares_table(parts))
    console.print(BOUND)


def _median_runs(
    folder: Path, count: int, names: list[str], peers: Path, rounds: int
) -> dict[str, Run]:
    """Let the contenders take turns; return of each the run whose rate is the median."""
    turns = [_race(folder, count, names, peers, turn) for turn in range(rounds)]
    found = {name: [turn[name] for turn in turns if name in turn] for name in names}
    by_rate = {name: sorted(runs, key=lambda run: run.rate) for name, runs in found.items() if runs}
    return {name: runs[len(runs) // 2] for name, runs in by_rate.items()}


def _race(folder: Path, count: int, names: list[str], peers: Path, turn: int) -> dict[str, Run]:
    runs = {}
    for name in names:
        python = peers / name / "bin" / "python"
        if name in PEERS and not python.exists():
            print(f"{name}: not installed in {peers}, left out")
            continue
        where = {"python": str(python)} if name in PEERS else {}
        try:
            if name == OURS:
                runs[name] = run_curator(folder, count, f"{count}-{turn}.db")
            else:
                runs[name] = run_contender(name, folder, count, **where)
        except RuntimeError as error:
            print(error)
    return runs


def _race_table(count: int, runs: dict[str, Run]) -> Table:
    headings = ("who", "start s", "requests/s", "ours is", "with its start", "ours is")
    title = f"{count:,} requests"
    table = Table(*headings, "CPU ms a request", "peak MB", "kB a request", title=title)
    ours = runs[OURS]
    for run in runs.values():
        table.add_row(
            run.name,
            f"{run.start_s:.1f}",
            f"{run.rate:,.0f}",
            f"{ours.rate / run.rate:.2f} x",
            f"{run.whole_rate:,.0f}",
            f"{ours.whole_rate / run.whole_rate:.2f} x",
            f"{run.cpu_ms:.2f}",
            f"{run.peak_mb:.0f}",
            f"{run.sent_kb:.1f}",
        )
    return table


def _shares_table(parts: dict[str, float]) -> Table:
    table = Table("part of a request", "CPU ms", "share", title="Each part of ours alone")
    total = sum(parts.values())
    for name, cost_ms in [*parts.items(), ("together", total)]:
        table.add_row(name, f"{cost_ms:.2f}", f"{cost_ms / total:.0%}")
    return table


def _shape_table(shapes: list[Shape], lengths: list[int]) -> Table:
    title = f"What is fixed and what each further request costs, from {lengths[0]:,} and "
    table = Table(
        *("who", "fixed CPU s", "CPU ms a further request", "further requests/s"),
        title=f"{title}{lengths[-1]:,} requests",
    )
    for shape in shapes:
        table.add_row(
            shape.name,
            f"{shape.fixed_cpu_s:.1f}",
            f"{shape.further_cpu_ms:.2f}",
            f"{shape.further_rate:,.0f}",
        )
    return table


if __name__ == "__main__":
    typer.run(main)
