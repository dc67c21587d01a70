"""``trainer fit``: an adapter, from a recipe to the line that says how good it is."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shared.errors import StoppedForNow
from shared.program.command_line.next_step import tell_next
from shared.program.stopping import (
    GOES_ON_WITH_RESUME,
    StopSignal,
    signals_ignored,
    stop_on_signals,
)
from trainer.commands.options import (
    AsJson,
    Data,
    FitRecipeFile,
    Images,
    MadeFolder,
    Overrides,
    Resume,
    TellOnly,
    settings_typed,
)
from trainer.commands.printing.next_commands import evaluating

if TYPE_CHECKING:
    from trainer.fitting.fit import FitResult


def fit(
    recipe: FitRecipeFile,
    *,
    data: Data = None,
    images: Images = None,
    out: MadeFolder = None,
    overrides: Overrides = None,
    resume: Resume = False,
    devices: Annotated[
        int, typer.Option(help="Cards to train on together, each with the base; or cores.", min=1)
    ] = 1,
    dry_run: TellOnly = False,
    as_json: AsJson = False,
) -> None:
    """Fine-tune a LoRA adapter by the recipe."""
    # pydantic takes a while to import; --help need not wait for it.
    from shared.program.settings import read_tables
    from trainer.api import fit_tables

    settings = settings_typed(overrides, data, images, out)
    tables, result = read_tables(recipe, settings), None
    if dry_run:
        _say_what_it_would_do(tables, str(recipe))
        switches = ["--resume"] if resume else []
        on = ["--devices", str(devices)] if devices > 1 else []
        tell_next(*_again(recipe, settings), *switches, *on)
        return
    if "TORCHELASTIC_RUN_ID" in os.environ:
        result = _share_of(tables, str(recipe), resume=resume)
    elif devices > 1:
        switches = [*(["--resume"] if resume else []), *(["--json"] if as_json else [])]
        _on_devices(devices, tables, recipe, settings, switches)
    else:
        result = fit_tables(tables, source=str(recipe), resume=resume)
    if result is None:
        return
    if as_json:
        typer.echo(json.dumps({**asdict(result), "adapter": str(result.adapter)}))
        return
    typer.echo(result.sentence())
    tell_next(*evaluating(result.adapter))


def _again(recipe: Path, settings: Sequence[str]) -> list[str]:
    return ["trainer", "fit", str(recipe), *(word for one in settings for word in ("--set", one))]


def _say_what_it_would_do(tables: Mapping[str, Any], source: str) -> None:
    from trainer.recipe.opening import opened_recipe
    from trainer.recipe.recipe import FitRecipe

    recipe = opened_recipe(FitRecipe, tables, source=source)
    # torch takes seconds to import; a bad recipe need not wait for it.
    from trainer.commands.printing.dry_run import fit_lines
    from trainer.fitting.fit import recipe_pairs

    for line in fit_lines(recipe, recipe_pairs(recipe)):
        typer.echo(line)


def _on_devices(
    devices: int,
    tables: Mapping[str, Any],
    recipe: Path,
    overrides: Sequence[str],
    switches: Sequence[str],
) -> None:
    """Run this command once for each device; the first of them speaks for all."""
    from trainer.recipe.opening import opened_recipe
    from trainer.recipe.recipe import FitRecipe

    opened_recipe(FitRecipe, tables, source=str(recipe))
    # torch takes seconds to import; a bad recipe need not wait for it.
    from trainer.fitting.devices import require_devices, train_on

    require_devices(devices)
    train_on(devices, [*_again(recipe, overrides), *switches])


def _share_of(tables: Mapping[str, Any], source: str, *, resume: bool) -> FitResult | None:
    """Train on this device, which is one of several; return what the first one reports."""
    from trainer.fitting.devices import EXIT_OTHER_LOST
    from trainer.fitting.fit import fit as fit_adapter
    from trainer.fitting.fit import help_fit
    from trainer.recipe.opening import opened_recipe
    from trainer.recipe.recipe import FitRecipe
    from trainer.training.loop import NonFiniteGradient
    from trainer.training.team import DeviceLost, Together

    recipe = opened_recipe(FitRecipe, tables, source=source)
    team, stop = Together(), StopSignal()
    try:
        with stop_on_signals(stop, "trainer", GOES_ON_WITH_RESUME):
            if team.leads:
                return fit_adapter(recipe, resume=resume, stop=stop, team=team)
            # The first device meets the same, and still has to save.
            with contextlib.suppress(NonFiniteGradient, StoppedForNow):
                help_fit(recipe, resume=resume, stop=stop, team=team)
            return None
    except DeviceLost:
        # Whoever started the processes says which of them, and tells the others to end.
        signals_ignored()
        raise typer.Exit(EXIT_OTHER_LOST) from None
    finally:
        team.leave()
