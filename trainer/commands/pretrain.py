"""``trainer pretrain``: a model from scratch."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from shared.program.stopping import GOES_ON_WITH_RESUME, StopSignal, stop_on_signals
from trainer.commands.options import AsJson, Overrides, PretrainRecipeFile, Resume


def pretrain(
    recipe: PretrainRecipeFile,
    overrides: Overrides = None,
    resume: Resume = False,
    describe_only: Annotated[
        bool,
        typer.Option(
            "--describe-only", help="Only measure the model in `out` again and write its card."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a small BLIP from scratch; this is how blip-vqa-tiny is made."""
    from trainer.pretraining.recipe import PretrainRecipe  # noqa: PLC0415
    from trainer.recipe.opening import load_recipe  # noqa: PLC0415

    settings = load_recipe(PretrainRecipe, recipe, overrides or ())
    # torch takes seconds to import; bad recipes need not wait for it.
    from trainer.pretraining.pretrain import describe, make_model  # noqa: PLC0415

    if describe_only:
        result = describe(settings)
    else:
        stop = StopSignal()
        with stop_on_signals(stop, "trainer", GOES_ON_WITH_RESUME):
            result = make_model(settings, resume=resume, stop=stop)
    if as_json:
        typer.echo(json.dumps({**asdict(result), "folder": str(result.folder)}))
        return
    typer.echo(
        f"{result.folder}: {result.parameters:,} parameters; test exact match "
        f"{result.exact_match:.4f}, in 4 bit {result.exact_match_nf4:.4f}, question-only prior "
        f"{result.prior_exact_match:.4f}"
    )
