"""The ``trainer`` program: reads the command line and the recipe, then hands over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from shared.cli import run_program
from shared.events import set_up_events
from shared.settings import load_settings

app = typer.Typer(
    name="trainer",
    help="Turns a data set into a LoRA adapter on a 4-bit base.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Recipe = Annotated[Path, typer.Argument(help="TOML file; see the README", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="overrides one setting; may be repeated"),
]
Json = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]


@app.callback()
def trainer() -> None:
    """Turn a data set into a LoRA adapter on a 4-bit base."""
    set_up_events()


@app.command("fit")
def fit_command(
    recipe: Recipe,
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option(help="go on at the last checkpoint")] = False,
    as_json: Json = False,
) -> None:
    """Fine-tune a LoRA adapter by the recipe."""
    # torch takes seconds to import; --help and bad recipes need not wait for it.
    from trainer.fit import fit  # noqa: PLC0415
    from trainer.recipe import FitRecipe  # noqa: PLC0415

    settings = load_settings(FitRecipe, recipe, overrides or ())
    result = fit(settings, resume=resume)
    if as_json:
        row = {
            "adapter": str(result.adapter),
            "steps": result.steps,
            "base_exact_match": result.base_exact_match,
            "exact_match": result.exact_match,
            "best_epoch": result.best_epoch,
        }
        typer.echo(json.dumps(row))
        return
    typer.echo(
        f"{result.adapter}: held-out exact match {result.exact_match:.4f} "
        f"(base alone {result.base_exact_match:.4f}), epoch {result.best_epoch}, "
        f"{result.steps} steps"
    )


def main() -> None:
    """Run the program; never returns."""
    run_program(app, "trainer")


if __name__ == "__main__":
    main()
