"""``evaluator compare`` and ``evaluator report``: what finished runs say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evaluator.commands.options import AsJson
from evaluator.comparing.differences import compare_runs, sentences
from evaluator.comparing.tables import comparison_table, difference_table, signature_note
from evaluator.metrics.choice import parse_metrics
from evaluator.report.page import write_report
from evaluator.runs.folder import read_runs


def compare(
    run_a: Annotated[Path, typer.Argument(help="A run folder: the one to start from.")],
    run_b: Annotated[Path, typer.Argument(help="Another on the same data.")],
    *,
    metrics: Annotated[
        str | None,
        typer.Option(help="Metrics with commas between them.", show_default="all in both"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which of two runs is better, by how much, and how sure that is."""
    chosen = None if metrics is None else parse_metrics(metrics)
    base, other = read_runs([run_a, run_b])
    comparison = compare_runs(base, other, chosen)
    if as_json:
        typer.echo(json.dumps(comparison.to_json(), ensure_ascii=False, allow_nan=False))
        return
    Console().print(difference_table(comparison))
    for sentence in sentences(comparison):
        typer.echo(sentence)


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, the first is the base.")],
    out: Annotated[Path, typer.Option(help="The HTML file.")] = Path("report.html"),
    images: Annotated[
        str | None,
        typer.Option(help="Folder or URL of the pictures, if not where the runs say."),
    ] = None,
    page_only: Annotated[
        bool,
        typer.Option(
            "--page-only", help="No folder beside the page with the examples it has no room for."
        ),
    ] = False,
) -> None:
    """Write one self-contained HTML page about one or several runs."""
    loaded = read_runs(runs)
    write_report(loaded, out, images=images, with_rest=not page_only)
    Console().print(comparison_table({run.name: run.scorecard for run in loaded}))
    typer.echo(signature_note(run.scorecard for run in loaded))
    typer.echo(f"report: {out}")
