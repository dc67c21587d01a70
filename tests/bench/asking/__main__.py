"""Prints the race of all contenders; the peers run where ``make bench-peers`` installed them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.bench.asking.race import Race, Run, Shape, shape_of, write_course
from tests.bench.asking.shares import cpu_shares
from tests.bench.asking.turns import OURS, entrants, median_runs

SLOW_S = 3.0
"""What a real service takes to answer."""
SLOW_ROUNDS = 10
"""Requests for each in flight, in a race at that latency."""
STALL_S = 0.1
BOUND = """\
What bounds it: one Python interpreter. The event loop works two thirds of the time; for the rest it
waits until a thread (photos, the ledger) hands the interpreter over, and requests for the commit of
their group. At a real latency, replies that come at the same moment wait for each other; in real
use the quotas bound everything. What is fixed is imports for the most part: aiohttp, pydantic,
structlog and our own; of google-genai's, its own."""


def main(
    peers: Annotated[Path, typer.Option(help="folder with an environment for each peer")],
    before: Annotated[str | None, typer.Option(help="commit of ours to race against")] = None,
    requests: Annotated[list[int] | None, typer.Option(help="images to ask about; again")] = None,
    in_flight: Annotated[
        list[int] | None, typer.Option(help="requests at once, at a real latency; again")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="turns of each; told is the median")] = 3,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="file to write all figures to")
    ] = None,
) -> None:
    """Race over each number of requests; from the least and the most, tell apart what is fixed."""
    lengths = sorted(set(requests or [500, 3_000]))
    crowds = sorted(set(in_flight or [600, 1_000]))
    console = Console(width=132)
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_course(folder, max(lengths[-1], SLOW_ROUNDS * crowds[-1]))
        races = {f"{count:,} requests": Race(folder, count) for count in lengths} | {
            f"{crowd:,} in flight, {SLOW_S:g} s each": Race(
                folder, SLOW_ROUNDS * crowd, crowd, SLOW_S, is_watched=True
            )
            for crowd in crowds
        }
        taking_part = entrants(peers, before, folder)
        runs = {}
        for title, asked in races.items():
            runs[title] = median_runs(taking_part, asked, rounds)
            tables = _slow_table if asked.is_watched else _race_table
            console.print(tables(title, asked, runs[title]))
        parts = cpu_shares(folder)
    short, long = (runs[f"{count:,} requests"] for count in (lengths[0], lengths[-1]))
    shapes = [shape_of(short[name], run) for name, run in long.items() if name in short]
    if len(lengths) > 1:
        console.print(_shape_table(shapes, lengths))
    console.print(_shares_table(parts))
    console.print(BOUND)
    if json_file is not None:
        _write_json(json_file, runs, shapes if len(lengths) > 1 else [], parts)


def _write_json(
    path: Path, runs: Mapping[str, Mapping[str, Run]], shapes: list[Shape], parts: dict[str, float]
) -> None:
    told = {
        "races": {title: [asdict(run) for run in found.values()] for title, found in runs.items()},
        "shapes": [asdict(shape) for shape in shapes],
        "parts_cpu_ms": parts,
    }
    path.write_text(json.dumps(told, indent=1), encoding="utf-8")


def _race_table(title: str, _: Race, runs: Mapping[str, Run]) -> Table:
    headings = ("who", "start s", "requests/s", "ours is", "with its start", "ours is")
    table = Table(*headings, "CPU ms a request", "peak MB", "kB a request", title=title)
    ours = runs[OURS]
    for name, run in runs.items():
        table.add_row(
            name,
            f"{run.start_s:.2f}",
            f"{run.rate:,.0f}",
            f"{ours.rate / run.rate:.2f} x",
            f"{run.whole_rate:,.0f}",
            f"{ours.whole_rate / run.whole_rate:.2f} x",
            f"{run.cpu_ms:.2f}",
            f"{run.peak_mb:.0f}",
            f"{run.sent_kb:.1f}",
        )
    return table


def _slow_table(title: str, asked: Race, runs: Mapping[str, Run]) -> Table:
    table = Table(
        *(
            "who",
            "requests/s",
            "of what is allowed",
            "the first rounds left out",
            "CPU ms a request",
        ),
        *("peak MB", "longest stall ms", f"stalls over {1000 * STALL_S:.0f} ms"),
        title=f"{title}: {asked.allowed_rate:,.0f} requests/s are allowed",
    )
    for name, run in runs.items():
        table.add_row(
            name,
            f"{run.rate:,.0f}",
            f"{run.rate / asked.allowed_rate:.2f}",
            f"{run.settled_rate / asked.allowed_rate:.2f}",
            f"{run.cpu_ms:.2f}",
            f"{run.peak_mb:.0f}",
            f"{1000 * run.longest_stall_s:.0f}",
            f"{sum(stall_s > STALL_S for stall_s in run.stalls_s)}",
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
