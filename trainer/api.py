"""The trainer from Python: what the commands of the same names do, with values in and out.

    from trainer import fit, quantize

    fit("recipe.toml", epochs=5)
    fit(model="blip-vqa-tiny", data="dataset", images="abo/images/small", out="adapter")
    quantize("blip-vqa-tiny", "small", bits=3.0, data="dataset", images="abo/images/small")

In a notebook a result shows as its line or table. Bad input raises ``shared.errors.InputError``, a
run that stopped in good order ``StoppedForNow``; both are ``AboVqaError``.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.corpus import checked_columns
from shared.dataset.opening import opened_data
from shared.errors import InputError
from shared.images.stores import local_folder
from shared.program.command_line.as_called import in_its_words, stopped_by_interrupts
from shared.program.stopping import GOES_ON_WITH_RESUME, StopSignal, stop_on_signals
from shared.program.toml_files import read_toml
from shared.vqa.names.model_names import resolve_model
from trainer.fitting.record import require_record
from trainer.recipe.opening import opened_recipe
from trainer.recipe.recipe import FitRecipe

if TYPE_CHECKING:
    from trainer.fitting.fit import FitResult
    from trainer.quantizing.order import QuantizeResult

Place = str | PathLike[str]


@in_its_words("trainer fit", FitRecipe)
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


@in_its_words("trainer quantize")
@stopped_by_interrupts
def quantize(
    model: str,
    out: Place,
    *,
    budget_mb: float | None = None,
    bits: float | None = None,
    adapter: Place | None = None,
    method: str = "gptq",
    data: Place | None = None,
    images: Place | None = None,
    columns: Mapping[str, str] | None = None,
    questions: int = 64,
    check_questions: int = 200,
) -> QuantizeResult:
    """Round a model's weights to fewer bits where that loses least, and write it as one folder.

    Args:
        model: a folder, a hub id or ``blip-vqa-tiny``.
        out: the folder to write; an unfinished one is gone on with.
        budget_mb: megabytes that the file of weights may take.
        bits: of a rounded weight on average, scales included; this or ``budget_mb``.
        adapter: folder of a finished run, merged in first.
        method: how weights are rounded: ``nearest``, ``hqq`` or ``gptq``.
        data: questions to calibrate and to check with, by default the adapter's; a path or a URL.
        images: folder of their pictures, where they are not within or beside ``data``.
        columns: columns whose names cannot be guessed, by the field that they hold.
        questions: how many to calibrate with.
        check_questions: how many, about other images, to check with.

    Raises:
        InputError: something that was given cannot be used, or the budget is too small.
        StoppedForNow: it was interrupted; the same call goes on.
    """
    return quantize_given(locals())


def quantize_given(given: Mapping[str, Any]) -> QuantizeResult:
    """Do what ``quantize`` does, with its arguments by name; errors name options as typed."""
    _require_sense(given)
    resolve_model(given["model"])
    trained = None if given["adapter"] is None else Path(given["adapter"])
    if trained is not None:
        require_record(trained)
    place = None if given["images"] is None else fspath(given["images"])
    rows, folder = None, local_folder(place)
    if given["data"] is not None:
        opened = opened_data(fspath(given["data"]), place)
        rows, folder = opened.rows, opened.folder
    elif trained is None:
        raise InputError("--data: give the questions to calibrate and to check with")
    names = checked_columns(given["columns"] or {}, "columns")
    # torch takes seconds to import; what is misspelt need not wait for it.
    from trainer.quantizing.order import QuantizeOrder, method_named  # noqa: PLC0415
    from trainer.quantizing.quantize import quantize as quantize_model  # noqa: PLC0415

    return quantize_model(
        QuantizeOrder(
            model=given["model"],
            out=Path(given["out"]),
            adapter=trained,
            budget_mb=given["budget_mb"],
            bits=given["bits"],
            method=method_named(given["method"]),
            data=rows,
            images=folder,
            columns=names,
            questions=given["questions"],
            check_questions=given["check_questions"],
        )
    )


def _require_sense(given: Mapping[str, Any]) -> None:
    if (given["budget_mb"] is None) == (given["bits"] is None):
        raise InputError("give --budget-mb or --bits, and not both")
    for name in ("budget_mb", "bits"):
        most = given[name]
        if most is not None and not 0 < most < math.inf:
            raise InputError(f"{name}: give a number above 0, not {most}")
    for name in ("questions", "check_questions"):
        if given[name] < 1:
            raise InputError(f"{name}: give 1 or more, not {given[name]}")


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
