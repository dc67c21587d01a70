"""``trainer fit``: an adapter, from a recipe to the line that says how good it is."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from trainer.commands.options import AsJson, FitRecipeFile, Overrides, Resume


def fit(
    recipe: FitRecipeFile,
    overrides: Overrides = None,
    resume: Resume = False,
    as_json: AsJson = False,
) -> None:
    """Fine-tune a LoRA adapter by the recipe."""
    # pydantic takes a while to import; --help need not wait for it.
    from shared.program.settings import read_tables  # noqa: PLC0415
    from trainer.api import fit_tables  # noqa: PLC0415

    result = fit_tables(read_tables(recipe, overrides or ()), source=str(recipe), resume=resume)
    if as_json:
        typer.echo(json.dumps({**asdict(result), "adapter": str(result.adapter)}))
        return
    typer.echo(result.sentence())
