"""``evaluator power``: how many pictures a comparison needs, before any is answered."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evaluator.commands.options import AsJson
from shared.dataset.units import counted
from shared.errors import InputError


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
    metric: Annotated[str, typer.Option(help="Of which metric, in both runs.")] = "exact_match",
    changed: Annotated[
        float, typer.Option(help="Without runs: the share of answers that change.", min=0, max=1)
    ] = 0.2,
    questions: Annotated[
        float, typer.Option(help="Without runs: questions of each image.", min=1)
    ] = 5.0,
    alike: Annotated[
        float,
        typer.Option(help="Without runs: how alike an image's changes are.", min=0, max=1),
    ] = 0.1,
    as_json: AsJson = False,
) -> None:
    """Say how many images one needs to see a difference of so many points."""
    # scipy takes half a second to import.
    from evaluator.comparing.power import need, supposed  # noqa: PLC0415
    from evaluator.comparing.power_of_runs import variation_of_runs  # noqa: PLC0415
    from evaluator.comparing.tables import need_table  # noqa: PLC0415
    from evaluator.runs.folder import read_runs  # noqa: PLC0415

    _require_possible(points, questions)
    now = None
    if runs:
        if len(runs) != 2:  # noqa: PLR2004
            raise InputError(f"power: give two run folders, or none; {len(runs)} are given")
        base, other = read_runs(runs)
        variation, noun, now = variation_of_runs(base, other, metric)
    else:
        if points > 100 * changed:
            raise InputError(
                f"--points {points:g}: where {changed:.0%} of the answers change, no difference is "
                "larger than that; give fewer points or a larger --changed"
            )
        variation, noun = supposed(changed, questions, alike), "image"
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
        typer.echo(f"The {counted(now, noun)} of these runs see {seen:.1f} points.")


def _require_possible(points: float, questions: float) -> None:
    if not 0 < points <= 100:  # noqa: PLR2004 (of a metric from 0 to 1)
        raise InputError(f"--points {points:g}: give a difference above 0 and up to 100, such as 1")
    if not math.isfinite(questions):
        raise InputError(f"--questions {questions:g}: give a number, such as 5")
