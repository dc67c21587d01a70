"""``trainer pretrain``: a model from scratch."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from shared.program.command_line.next_step import tell_next
from shared.program.stopping import GOES_ON_WITH_RESUME, StopSignal, stop_on_signals
from trainer.commands.options import (
    AsJson,
    Data,
    Images,
    MadeFolder,
    Overrides,
    PretrainRecipeFile,
    Resume,
    TellOnly,
    settings_typed,
)
from trainer.commands.printing.next_commands import evaluating_model


def pretrain(
    recipe: PretrainRecipeFile,
    *,
    data: Data = None,
    images: Images = None,
    out: MadeFolder = None,
    overrides: Overrides = None,
    resume: Resume = False,
    describe_only: Annotated[
        bool,
        typer.Option(
            "--describe-only", help="Only measure the model in `out` again and write its card."
        ),
    ] = False,
    dry_run: TellOnly = False,
    as_json: AsJson = False,
) -> None:
    """Make a small BLIP from scratch; this is how blip-vqa-tiny is made."""
    from trainer.pretraining.recipe import PretrainRecipe
    from trainer.recipe.opening import load_recipe

    words = settings_typed(overrides, data, images, out)
    settings = load_recipe(PretrainRecipe, recipe, words)
    # torch takes seconds to import; bad recipes need not wait for it.
    from trainer.pretraining.pretrain import describe, make_model, recipe_pairs

    if dry_run:
        from trainer.commands.printing.dry_run import pretrain_lines
        from trainer.pretraining.pretrain import require_means

        require_means(settings)
        typer.echo("\n".join(pretrain_lines(settings, recipe_pairs(settings))))
        tell_next("trainer", "pretrain", recipe, *(w for one in words for w in ("--set", one)))
        return

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
    tell_next(*evaluating_model(result.folder, settings.dataset or settings.data, settings.images))
