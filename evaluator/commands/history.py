"""``evaluator history``: all runs of a folder, what changed between them, and who leads."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from evaluator.commands.given.options import AsJson
from shared.program.command_line.next_step import tell_next


def history(
    runs: Annotated[
        list[Path], typer.Argument(help="A folder of run folders; or some runs, such as two.")
    ],
    *,
    metric: Annotated[
        str | None,
        typer.Option(help="By which the runs are ranked.", show_default="exact_match"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Also write an HTML page here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what runs there are, what changed from one to the next, and which is best."""
    from rich.console import Console

    from evaluator.history.history import read_history
    from evaluator.history.page import write_history
    from evaluator.history.tables import leaderboard_table, runs_table

    found = read_history(runs, metric)
    if out is not None:
        write_history(found, out)
    if as_json:
        typer.echo(json.dumps(found.to_json(), ensure_ascii=False, allow_nan=False))
        return
    console = Console()
    for of_data in found.data:
        if of_data.places:
            console.print(leaderboard_table(of_data))
        else:
            typer.echo(f"{of_data.title}: no run has {of_data.metric}")
        console.print(runs_table(of_data))
        if len(of_data.steps) == 2:  # noqa: PLR2004
            for change in of_data.steps[1].changed:
                typer.echo(f"  {change.text}")
        for reason in dict.fromkeys(
            [
                *(step.reason for step in of_data.steps if step.reason),
                *(place.reason for place in of_data.places if place.reason),
            ]
        ):
            typer.echo(f"not compared: {reason}")
    for left_out in found.unread:
        typer.echo(f"left out: {left_out.name}: {left_out.reason}")
    if out is not None:
        typer.echo(f"history: {out}")
    if best := next((of_data.places[:2] for of_data in found.data if of_data.places), None):
        words = [os.path.relpath(place.entry.folder) for place in best]
        tell_next("evaluator", "report", *words, "--out", "report.html")
