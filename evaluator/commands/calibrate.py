"""``evaluator calibrate``: from which confidence on a model needs no person."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from evaluator.commands.given.options import AsJson
from shared.errors import InputError
from shared.program.command_line.next_step import tell_next
from shared.program.process.garbage import garbage_left_alone

_MUCH: Final = 0.05
"""A share of answers by which more may be sure than was wanted, without a word."""


def calibrate(
    validation: Annotated[Path, typer.Argument(help="A run about validation data: fitted on it.")],
    *,
    check: Annotated[Path, typer.Option(help="A run of the same model about other pictures.")],
    out: Annotated[Path, typer.Option(help="The file for --sure of predict and serve.")],
    accuracy: Annotated[
        float | None,
        typer.Option(help="How often a sure answer is to be right, such as 0.9.", min=0, max=1),
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(help="Or: the share of answers that is to be sure.", min=0.01, max=1),
    ] = None,
    metric: Annotated[
        str, typer.Option(help="What says that an answer is right: exact_match or judge.")
    ] = "exact_match",
    as_json: AsJson = False,
) -> None:
    """Find from which confidence on a model is sure, and check it on other pictures."""
    from rich.console import Console

    from evaluator.answering.sureness import write_sureness
    from evaluator.calibrating.checking import checked, fitted, require_other_data
    from evaluator.calibrating.tables import check_table, verdict
    from evaluator.metrics.choice import one_metric
    from evaluator.runs.folder import read_runs

    if (accuracy is None) == (coverage is None):
        raise InputError("calibrate: give either --accuracy or --coverage")
    with garbage_left_alone():
        runs = read_runs([validation, check])
    require_other_data(*runs)
    right_by = one_metric(metric)
    sureness = fitted(runs[0], accuracy, coverage, right_by, check=runs[1])
    found = {
        name: checked(sureness, run, right_by)
        for name, run in zip(("validation", "check"), runs, strict=True)
    }
    told = {
        "metric": right_by.name,
        "wanted": {"accuracy": accuracy, "coverage": coverage},
        **{name: each.to_json() for name, each in found.items()},
    }
    write_sureness(replace(sureness, told=told), out)
    if as_json:
        value = {"temperature": sureness.temperature, "threshold": sureness.threshold, **told}
        typer.echo(json.dumps(value, allow_nan=False))
        return
    Console().print(
        check_table({f"{run.name}": each for run, each in zip(runs, found.values(), strict=True)})
    )
    typer.echo(verdict(sureness, found["check"], accuracy))
    if coverage is not None and found["validation"].coverage > coverage + _MUCH:
        typer.echo(
            f"More than the wanted {coverage:.0%} are sure: many answers have the same confidence, "
            "which cannot tell them apart."
        )
    typer.echo(f"sureness: {out}")
    known = next((run.record for run in runs if run.record.model), runs[0].record)
    asked = ["--model", known.model or "MODEL"]
    asked += ["--adapter", known.adapter] if known.adapter else []
    files = ["--data", "QUESTIONS.csv", "--out", "answers.csv"]
    tell_next("evaluator", "predict", *asked, *files, "--sure", out)
