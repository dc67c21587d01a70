"""``trainer recipe``: every setting, what it does and its default."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from shared.program.command_line.next_step import tell_next


class Purpose(StrEnum):
    """Which command a recipe is for."""

    FIT = "fit"
    PRETRAIN = "pretrain"


def recipe(
    purpose: Annotated[
        Purpose, typer.Argument(help="Command that reads it; `sweep` reads that of `fit`.")
    ] = Purpose.FIT,
) -> None:
    """Print a recipe with every setting, what it does and its default."""
    from shared.program.settings import Settings
    from trainer.pretraining.recipe import PretrainRecipe
    from trainer.recipe.recipe import FitRecipe
    from trainer.recipe.template import commented_toml

    recipes: dict[Purpose, type[Settings]] = {
        Purpose.FIT: FitRecipe,
        Purpose.PRETRAIN: PretrainRecipe,
    }
    typer.echo(commented_toml(recipes[purpose]), nl=False)
    tell_next("trainer", purpose.value, "RECIPE.toml")
