"""``trainer fit``: an adapter, from a recipe to the line that says how good it is."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from shared.program.stopping import GOES_ON_WITH_RESUME, StopSignal, stop_on_signals
from trainer.commands.options import AsJson, FitRecipeFile, Overrides, Resume


def fit(
    recipe: FitRecipeFile,
    overrides: Overrides = None,
    resume: Resume = False,
    as_json: AsJson = False,
) -> None:
    """Fine-tune a LoRA adapter by the recipe."""
    from trainer.recipe.opening import load_recipe  # noqa: PLC0415
    from trainer.recipe.recipe import FitRecipe  # noqa: PLC0415

    settings = load_recipe(FitRecipe, recipe, overrides or ())
    # torch takes seconds to import; --help and bad recipes need not wait for it.
    from trainer.fitting.fit import fit as fit_adapter  # noqa: PLC0415

    stop = StopSignal()
    with stop_on_signals(stop, "trainer", GOES_ON_WITH_RESUME):
        result = fit_adapter(settings, resume=resume, stop=stop)
    if as_json:
        typer.echo(json.dumps({**asdict(result), "adapter": str(result.adapter)}))
        return
    typer.echo(
        f"{result.adapter}: held-out exact match {result.exact_match:.4f} "
        f"(base alone {result.base_exact_match:.4f}), epoch {result.best_epoch}, "
        f"{result.steps} steps"
    )
