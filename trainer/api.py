"""The trainer from Python: what ``trainer fit`` does, with values in and out.

    from trainer import fit

    fit("recipe.toml", epochs=5)
    fit(model="blip-vqa-tiny", data="dataset", images="abo/images/small", out="adapter")

In a notebook the result shows as a table. Bad input raises ``shared.errors.InputError``, a run that
stopped in good order ``StoppedForNow``; both are ``AboVqaError``.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.program.stopping import GOES_ON_WITH_RESUME, StopSignal, stop_on_signals
from shared.program.toml_files import read_toml
from trainer.recipe.opening import opened_recipe
from trainer.recipe.recipe import FitRecipe

if TYPE_CHECKING:
    from trainer.fitting.fit import FitResult

Place = str | PathLike[str]


def fit(
    recipe: Place | Mapping[str, Any] | None = None,
    *,
    resume: bool = False,
    **settings: Any,  # noqa: ANN401 - those of a recipe, each checked
) -> FitResult:
    """Fine-tune a LoRA adapter and write it to the recipe's ``out``.

    Args:
        recipe: a TOML file as ``trainer recipe`` prints one, or its tables as a mapping; left out
            where ``settings`` say all.
        resume: go on at the last checkpoint.
        **settings: settings in place of the recipe's; a table such as ``lora`` is a mapping, of
            which the named settings alone are replaced.

    Raises:
        InputError: a setting, the model, the data or the images cannot be used.
        StoppedForNow: a signal came; the same call with ``resume=True`` goes on.
    """
    return fit_tables(_tables(recipe, settings), source=_source(recipe), resume=resume)


def fit_tables(tables: Mapping[str, Any], *, source: str, resume: bool) -> FitResult:
    """Fine-tune by the recipe in ``tables``; ``source`` names them in errors; raises as ``fit``."""
    recipe = opened_recipe(FitRecipe, tables, source=source)
    # torch takes seconds to import; a bad recipe need not wait for it.
    from trainer.fitting.fit import fit as fit_adapter  # noqa: PLC0415

    stop = StopSignal()
    if threading.current_thread() is not threading.main_thread():
        return fit_adapter(recipe, resume=resume, stop=stop)
    with stop_on_signals(stop, "trainer", GOES_ON_WITH_RESUME):
        return fit_adapter(recipe, resume=resume, stop=stop)


def _source(recipe: Place | Mapping[str, Any] | None) -> str:
    return "fit" if recipe is None or isinstance(recipe, Mapping) else str(recipe)


def _tables(
    recipe: Place | Mapping[str, Any] | None, settings: Mapping[str, Any]
) -> dict[str, Any]:
    if recipe is None:
        tables: dict[str, Any] = {}
    elif isinstance(recipe, Mapping):
        tables = dict(recipe)
    else:
        tables = read_toml(Path(recipe))
    for name, value in settings.items():
        table = tables.get(name)
        merged = isinstance(value, Mapping) and isinstance(table, Mapping)
        tables[name] = {**table, **value} if merged and table is not None else value
    return tables
