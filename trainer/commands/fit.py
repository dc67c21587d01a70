"""``trainer fit``: an adapter, from a recipe to the line that says how good it is."""

from __future__ import annotations

import contextlib
import json
import signal
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from shared.errors import StoppedForNow
from shared.program.stopping import (
    GOES_ON_WITH_RESUME,
    SIGNALS,
    StopSignal,
    stop_on_signals,
)
from trainer.commands.options import AsJson, FitRecipeFile, Overrides, Resume

if TYPE_CHECKING:
    from trainer.fitting.fit import FitResult
    from trainer.recipe.recipe import FitRecipe


def fit(
    recipe: FitRecipeFile,
    overrides: Overrides = None,
    resume: Resume = False,
    devices: Annotated[
        int, typer.Option(help="Cards to train on together, each with the base; or cores.", min=1)
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Fine-tune a LoRA adapter by the recipe."""
    from trainer.recipe.opening import load_recipe  # noqa: PLC0415
    from trainer.recipe.recipe import FitRecipe  # noqa: PLC0415

    settings = load_recipe(FitRecipe, recipe, overrides or ())
    # torch takes seconds to import; --help and bad recipes need not wait for it.
    from trainer.training.team import is_one_of_several  # noqa: PLC0415

    if devices > 1 and not is_one_of_several():
        from trainer.fitting.devices import require_devices, train_on  # noqa: PLC0415

        require_devices(devices)
        said = [word for override in overrides or () for word in ("--set", override)]
        said += [*(["--resume"] if resume else []), *(["--json"] if as_json else [])]
        train_on(devices, ["trainer", "fit", str(recipe), *said])
        return
    result = _trained(settings, resume=resume)
    if result is None:
        return
    if as_json:
        typer.echo(json.dumps({**asdict(result), "adapter": str(result.adapter)}))
        return
    typer.echo(
        f"{result.adapter}: held-out exact match {result.exact_match:.4f} "
        f"(base alone {result.base_exact_match:.4f}), epoch {result.best_epoch}, "
        f"{result.steps} steps"
    )


def _trained(settings: FitRecipe, *, resume: bool) -> FitResult | None:
    """Train on this device, which may be one of several; return what the first one reports."""
    from trainer.fitting.devices import EXIT_OTHER_LOST  # noqa: PLC0415
    from trainer.fitting.fit import fit as fit_adapter  # noqa: PLC0415
    from trainer.fitting.fit import help_fit  # noqa: PLC0415
    from trainer.training.loop import NonFiniteGradient  # noqa: PLC0415
    from trainer.training.team import DeviceLost, own_team  # noqa: PLC0415

    team, stop = own_team(), StopSignal()
    try:
        with stop_on_signals(stop, "trainer", GOES_ON_WITH_RESUME):
            if team.leads:
                return fit_adapter(settings, resume=resume, stop=stop, team=team)
            # The first device meets the same, and still has to save.
            with contextlib.suppress(NonFiniteGradient, StoppedForNow):
                help_fit(settings, resume=resume, stop=stop, team=team)
            return None
    except DeviceLost:
        # Whoever started the processes says which of them, and tells the others to end.
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise typer.Exit(EXIT_OTHER_LOST) from None
    finally:
        team.leave()
