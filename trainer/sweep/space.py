"""Which trials a sweep has: a pure function of the recipe."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared.errors import InputError
from shared.program.command_line.next_step import typed
from trainer.recipe.recipe import FitRecipe, SweepRecipe
from trainer.recipe.template import toml_value

TRIALS_FOLDER: Final = "trials"
PLACE_IN_RECIPE: Final[Mapping[str, str]] = {
    "rank": "lora.rank",
    "alpha": "lora.alpha",
    "dropout": "lora.dropout",
    "targets": "lora.targets",
    "learning_rate": "learning_rate",
}
"""What may vary, and what ``--set`` calls it."""
LONGEST_NAME: Final = 120
"""Folders may have 255 letters on most systems."""


@dataclass(frozen=True, slots=True)
class Combination:
    """The settings of a recipe that a sweep may vary."""

    rank: int
    alpha: int
    dropout: float
    targets: tuple[str, ...] | str
    learning_rate: float

    def value(self, name: str) -> str:
        """Return the value of the setting called ``name``, for people."""
        value = asdict(self)[name]
        return "+".join(value) if isinstance(value, tuple) else str(value)


@dataclass(frozen=True, slots=True)
class Trial:
    """One combination, trained with one seed."""

    combination: Combination
    seed: int

    @property
    def name(self) -> str:
        """The same for the same settings, whatever else the sweep varies."""
        settings, targets = self.combination, self.combination.value("targets")
        if len(targets) > LONGEST_NAME or not re.fullmatch(r"[\w.+-]*", targets):
            targets = hashlib.sha256(targets.encode()).hexdigest()[:16]
        return (
            f"rank-{settings.rank}_alpha-{settings.alpha}_dropout-{settings.dropout}_"
            f"lr-{settings.learning_rate}_{targets}_seed-{self.seed}"
        )


def combinations(recipe: FitRecipe) -> list[Combination]:
    """Return the combinations to try, in the order of the recipe's lists.

    Raises:
        InputError: nothing varies, or a value stands twice in a list.
    """
    sweep = recipe.sweep
    if not varied(sweep) and len(sweep.seeds) < 2:  # noqa: PLR2004
        raise InputError(
            "[sweep] varies nothing; give a setting two values or more, such as rank = [4, 16]"
        )
    lists = {name: _values(recipe, name) for name in PLACE_IN_RECIPE}
    for name, values in [*lists.items(), ("seeds", sweep.seeds)]:
        if len(set(values)) < len(values):
            raise InputError(f"sweep.{name}: a value stands there twice")
    grid = [Combination(*values) for values in itertools.product(*lists.values())]
    if not sweep.combinations or sweep.combinations >= len(grid):
        return grid
    drawn = np.random.default_rng(sweep.draw_seed).permutation(len(grid))[: sweep.combinations]
    return [grid[index] for index in sorted(drawn)]


def trials(recipe: FitRecipe) -> list[Trial]:
    """Return every combination with every seed; the first seed of all of them comes first.

    Raises:
        InputError: as ``combinations``.
    """
    tried = combinations(recipe)
    return [
        Trial(combination, seed)
        for seed in recipe.sweep.seeds or (recipe.seed,)
        for combination in tried
    ]


def varied(sweep: SweepRecipe) -> list[str]:
    """Return the names of the settings with two values or more."""
    return [name for name in PLACE_IN_RECIPE if len(getattr(sweep, name)) > 1]


def trial_recipe(recipe: FitRecipe, trial: Trial) -> FitRecipe:
    """Return the recipe of one trial, which writes into a folder of its own below ``out``."""
    settings = asdict(trial.combination)
    rate = settings.pop("learning_rate")
    return recipe.model_copy(
        update={
            "lora": recipe.lora.model_copy(update=settings),
            "learning_rate": rate,
            "seed": trial.seed,
            "out": trial_folder(recipe.out, trial),
            "sweep": SweepRecipe(),
        }
    )


def trial_folder(out: Path, trial: Trial) -> Path:
    """Return where the adapter of a trial belongs."""
    return out / TRIALS_FOLDER / trial.name


def fit_command(recipe_file: Path, recipe: FitRecipe, trial: Trial) -> str:
    """Return the command that trains what ``trial`` trained, beside the sweep's folder."""
    own = asdict(own_combination(recipe)) | {"seed": recipe.seed}
    tried = asdict(trial.combination) | {"seed": trial.seed}
    changed = [f"out={toml_value(recipe.out.with_name(f'{recipe.out.name}-best'))}"]
    changed += [
        f"{PLACE_IN_RECIPE.get(name, name)}={toml_value(value)}"
        for name, value in tried.items()
        if value != own[name]
    ]
    return typed("trainer", "fit", recipe_file, *_set(changed))


def own_combination(recipe: FitRecipe) -> Combination:
    """Return what the recipe says without its sweep."""
    return Combination(**{name: _own(recipe, name) for name in PLACE_IN_RECIPE})


def _set(changed: Iterable[str]) -> list[str]:
    return [word for change in changed for word in ("--set", change)]


def _values(recipe: FitRecipe, name: str) -> tuple[Any, ...]:
    return getattr(recipe.sweep, name) or (_own(recipe, name),)


def _own(recipe: FitRecipe, name: str) -> Any:  # noqa: ANN401 (a setting of any type)
    table = recipe.lora if PLACE_IN_RECIPE[name].startswith("lora.") else recipe
    return getattr(table, name)
