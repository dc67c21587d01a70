"""``trainer sweep``: many trials of one recipe, and which settings mattered."""

from __future__ import annotations

import importlib.util
import json
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

import typer

from shared.errors import InputError
from shared.program.command_line.next_step import tell_next
from trainer.commands.options import (
    AsJson,
    Data,
    FitRecipeFile,
    Images,
    MadeFolder,
    Overrides,
    TellOnly,
    settings_typed,
)
from trainer.commands.printing.next_commands import evaluating

if TYPE_CHECKING:
    from trainer.recipe.recipe import FitRecipe


def sweep(
    recipe: FitRecipeFile,
    *,
    data: Data = None,
    images: Images = None,
    out: MadeFolder = None,
    overrides: Overrides = None,
    dry_run: TellOnly = False,
    as_json: AsJson = False,
) -> None:
    """Train every combination of the recipe's sweep table, and say which settings mattered.

    Given again, it goes on where it stopped.
    """
    from rich.console import Console

    from trainer.commands.printing.tables import sweep_table

    if importlib.util.find_spec("ray") is None:
        raise InputError("trainer sweep needs Ray Tune: pip install 'abo-vqa[sweep]'")
    from trainer.recipe.opening import load_recipe
    from trainer.recipe.recipe import FitRecipe

    words = settings_typed(overrides, data, images, out)
    settings = load_recipe(FitRecipe, recipe, words)
    if dry_run:
        _say_what_it_would_do(settings)
        tell_next("trainer", "sweep", recipe, *(w for one in words for w in ("--set", one)))
        return
    # Ray and torch take seconds to import; bad recipes need not wait for them.
    from trainer.sweep.files import findings_json
    from trainer.sweep.findings import sentences
    from trainer.sweep.run import (
        CHART_FILE,
        CSV_FILE,
        JSON_FILE,
    )
    from trainer.sweep.run import sweep as run_sweep
    from trainer.sweep.space import fit_command, trial_folder

    # Ray reports dead workers on standard output, which is the JSON object's.
    with redirect_stdout(sys.stderr):
        findings = run_sweep(settings)
    best = findings.best
    assert best is not None
    again = fit_command(recipe, settings, best.best_seed.trial)
    if as_json:
        told = {"folder": str(settings.out), **findings_json(findings), "command": again}
        typer.echo(json.dumps(told))
        return
    Console().print(sweep_table(findings))
    for sentence in sentences(findings):
        typer.echo(sentence)
    typer.echo(f"its adapter: {trial_folder(settings.out, best.best_seed.trial)}")
    typer.echo(f"to train it again: {again}")
    typer.echo(
        f"files: {', '.join(str(settings.out / f) for f in (JSON_FILE, CSV_FILE, CHART_FILE))}"
    )
    tell_next(*evaluating(trial_folder(settings.out, best.best_seed.trial)))


def _say_what_it_would_do(recipe: FitRecipe) -> None:
    from trainer.commands.printing.dry_run import sweep_lines
    from trainer.fitting.fit import recipe_pairs
    from trainer.sweep.space import trials

    for line in sweep_lines(recipe, recipe_pairs(recipe), len(trials(recipe))):
        typer.echo(line)
