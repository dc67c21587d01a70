"""Runs of `trainer fit`: their recipe, their exit code, their log."""

import json

import pytest

from shared.program.cli import run_program
from shared.program.settings import validated
from tests.trainer.recipes import fit_settings
from trainer.__main__ import app
from trainer.recipe.recipe import FitRecipe


def rows(folder, event):
    lines = (folder / "training.jsonl").read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["event"] == event]


def run_fit(recipe, *options) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "trainer", ["fit", str(recipe), *options])
    return leaving.value.code


def recipe_for(base, data, out, **changes) -> FitRecipe:
    settings = fit_settings(base, data, out=str(out), **changes)
    return validated(FitRecipe, settings, source="test")
