"""``evaluator compare`` and ``evaluator report``: what finished runs say."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evaluator.commands.given.options import AsJson
from shared.errors import InputError
from shared.program.command_line.next_step import tell_next
from shared.program.process.garbage import garbage_left_alone

if TYPE_CHECKING:
    from rich.table import Table

    from evaluator.comparing.deciding.gate import Gate
    from evaluator.comparing.drops import DropDifference
    from evaluator.comparing.several import SeveralRuns


def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Run folders on the same data, the first to start from.")
    ],
    *,
    metrics: Annotated[
        str | None,
        typer.Option(help="Metrics with commas between them.", show_default="all in both"),
    ] = None,
    fail_below: Annotated[
        float | None,
        typer.Option(
            help="A gate: exit 1 where the 95 % interval of a run less the first begins below "
            "this, such as -0.01 for a point."
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="The metric of the gate.", show_default="the first that is compared"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which of several runs is better, by how much, and how sure that is."""
    from evaluator.comparing.control_tables import drops_table
    from evaluator.comparing.deciding.gate import (
        GateClosed,
        gates,
        require_interval,
        require_possible,
    )
    from evaluator.comparing.drops import compare_drops, drop_sentences
    from evaluator.comparing.several import compare_all
    from evaluator.metrics.choice import one_metric, parse_metrics
    from evaluator.runs.folder import read_runs

    if len(runs) < 2:  # noqa: PLR2004
        raise InputError("compare: give two run folders or more; `evaluator report` shows one")
    if metric is not None and fail_below is None:
        raise InputError(f"--metric {metric}: is the gate's; give --fail-below too, or --metrics")
    if fail_below is not None:
        require_possible(fail_below)
    chosen = None if metrics is None else parse_metrics(metrics)
    gated = None if metric is None else one_metric(metric)
    with garbage_left_alone():
        loaded = read_runs(runs)
    if gated is not None:
        require_interval(gated, loaded)
        chosen = chosen and tuple(dict.fromkeys([*chosen, gated]))
    several = compare_all(loaded, chosen)
    drops = compare_drops(loaded, chosen)
    put = []
    if fail_below is not None:
        of_base = [each for each in several.comparisons if each.base == loaded[0].name]
        put = gates(of_base, gated.name if gated else several.metric, fail_below)
    if as_json:
        _print_json(several, drops, put)
    else:
        _print_tables(several, [drops_table(drops)] if drops else [])
        passed = [gate.sentence() for gate in put if gate.passed]
        for sentence in [*_said(several), *drop_sentences(loaded, drops), *passed]:
            typer.echo(sentence)
    closed = [gate.sentence() for gate in put if not gate.passed]
    if closed:
        raise GateClosed("; ".join(closed))
    if not as_json:
        tell_next("evaluator", "report", *runs, "--out", "report.html")


def _print_json(several: SeveralRuns, drops: Sequence[DropDifference], put: Sequence[Gate]) -> None:
    only = several.comparisons[0] if len(several.comparisons) == 1 else None
    value = several.to_json() if only is None else only.to_json()
    if drops:
        value["robustness"] = [drop.to_json() for drop in drops]
    if put:
        value["gates"] = [gate.to_json() for gate in put]
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _print_tables(several: SeveralRuns, further: Sequence[Table]) -> None:
    from rich.console import Console

    from evaluator.comparing.tables import difference_table, several_table

    only = several.comparisons[0] if len(several.comparisons) == 1 else None
    console = Console()
    console.print(several_table(several) if only is None else difference_table(only))
    for table in further:
        console.print(table)


def _said(several: SeveralRuns) -> list[str]:
    from evaluator.comparing.differences import sentences
    from evaluator.comparing.several import several_sentences

    only = several.comparisons[0] if len(several.comparisons) == 1 else None
    return several_sentences(several) if only is None else sentences(only)


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
    from rich.console import Console

    from evaluator.comparing.tables import comparison_table, signature_note
    from evaluator.reporting.page import write_report
    from evaluator.runs.folder import read_runs

    with garbage_left_alone():
        loaded = read_runs(runs)
    write_report(loaded, out, images=images, with_rest=not page_only)
    Console().print(comparison_table({run.name: run.scorecard for run in loaded}))
    typer.echo(signature_note(run.scorecard for run in loaded))
    typer.echo(f"report: {out}")
    tell_next("evaluator", "history", _around(runs))


def _around(runs: Sequence[Path]) -> Path:
    """Return the folder of the run folders."""
    return Path(os.path.relpath(runs[0].resolve().parent))
