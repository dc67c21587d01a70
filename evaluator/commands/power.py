"""``evaluator power``: how many pictures a comparison needs, before any is answered."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from evaluator.commands.given.options import AsJson
from shared.errors import InputError
from shared.program.command_line.next_step import tell_next
from shared.program.process.garbage import garbage_left_alone

if TYPE_CHECKING:
    from evaluator.comparing.deciding.power import Variation

_METRIC: Final = "exact_match"
CHANGED: Final = 0.2
"""What is supposed without runs: the share of answers that change, ..."""
QUESTIONS: Final = 5.0
"""... questions of an image, ..."""
ALIKE: Final = 0.1
"""... and how alike the changes of one are."""


def power(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Two run folders on data like the one to come: how much answers vary is measured."
        ),
    ] = None,
    *,
    points: Annotated[float, typer.Option(help="The difference to see, in points.")] = 1.0,
    chance: Annotated[
        float, typer.Option(help="How often it is to be seen.", min=0.5, max=0.999)
    ] = 0.8,
    metric: Annotated[
        str | None,
        typer.Option(help="With runs: of which metric.", show_default=_METRIC),
    ] = None,
    changed: Annotated[
        float | None,
        typer.Option(
            help="Without runs: the share of answers that change.",
            min=0,
            max=1,
            show_default=str(CHANGED),
        ),
    ] = None,
    questions: Annotated[
        float | None,
        typer.Option(
            help="Without runs: questions of each image.", min=1, show_default=str(QUESTIONS)
        ),
    ] = None,
    alike: Annotated[
        float | None,
        typer.Option(
            help="Without runs: how alike an image's changes are.",
            min=0,
            max=1,
            show_default=str(ALIKE),
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say how many images one needs to see a difference of so many points."""
    from rich.console import Console

    # scipy takes half a second to import.
    from evaluator.comparing.deciding.power import need
    from evaluator.comparing.deciding.power_of_runs import variation_of_runs
    from evaluator.comparing.tables import need_table
    from evaluator.runs.folder import read_runs
    from shared.dataset.units import counted

    _require_possible(points)
    now = None
    if runs:
        supposed_too = {"changed": changed, "questions": questions, "alike": alike}
        _require_none(supposed_too, "is measured where runs are given; leave it out, or the runs")
        if len(runs) != 2:  # noqa: PLR2004
            raise InputError(f"power: give two run folders, or none; {len(runs)} are given")
        with garbage_left_alone():
            base, other = read_runs(runs)
        variation, noun, now = variation_of_runs(base, other, metric or _METRIC)
    else:
        _require_none({"metric": metric}, "is of runs; give two, or leave it out")
        variation, noun = _supposed(points, changed, questions, alike), "image"
    needed = need(variation, noun, points, chance, now)
    if as_json:
        typer.echo(json.dumps(needed.to_json(), allow_nan=False))
        return
    Console().print(need_table(needed))
    units = dict(needed.units_by_points)[points]
    typer.echo(
        f"{counted(units, noun)} with {variation.rows:.3g} "
        f"question{'' if variation.rows == 1 else 's'} each see {points:g} "
        f"point{'' if points == 1 else 's'} in {100 * chance:g} of 100 tries."
    )
    if now is not None:
        seen = needed.points_seen_now
        typer.echo(f"The {counted(now, noun)} of these runs see {seen:z.1f} points.")
    tell_next(
        "evaluator", "run", "--data", "DATA", "--model", "MODEL", "--limit", units, "--out", "RUN"
    )


def _require_possible(points: float) -> None:
    if not 0 < points <= 100:  # noqa: PLR2004 (of a metric from 0 to 1)
        raise InputError(f"--points {points:g}: give a difference above 0 and up to 100, such as 1")


def _require_none(options: Mapping[str, object], why: str) -> None:
    """Check that no option is given that would say nothing."""
    for name, value in options.items():
        if value is not None:
            raise InputError(f"--{name} {value}: {why}")


def _supposed(
    points: float, changed: float | None, questions: float | None, alike: float | None
) -> Variation:
    from evaluator.comparing.deciding.power import supposed

    share = CHANGED if changed is None else changed
    if questions is not None and not math.isfinite(questions):
        raise InputError(f"--questions {questions:g}: give a number, such as 5")
    if points > 100 * share:
        raise InputError(
            f"--points {points:g}: where {share:z.0%} of the answers change, no difference is "
            "larger than that; give fewer points or a larger --changed"
        )
    return supposed(
        share,
        QUESTIONS if questions is None else questions,
        ALIKE if alike is None else alike,
    )
