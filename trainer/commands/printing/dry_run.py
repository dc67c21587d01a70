"""``--dry-run``: what training would do and how long it is, told without doing it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from shared.dataset.units import counted

if TYPE_CHECKING:
    from trainer.data.dataset import SplitPairs
    from trainer.pretraining.recipe import PretrainRecipe
    from trainer.recipe.recipe import FitRecipe

TIME: str = "time: not known before the first steps are taken; the progress line tells what is left"
NOTHING: str = "dry run: nothing was trained or written"


def fit_lines(recipe: FitRecipe, pairs: SplitPairs) -> Iterator[str]:
    """Yield what ``trainer fit`` would do by a recipe that was checked."""
    yield f"would train an adapter for {recipe.model} ({recipe.quantize.value}) in {recipe.out}"
    yield from _state(recipe.out)
    yield _data(pairs)
    yield steps_line(recipe, pairs)
    yield "money: none; it runs on this machine"
    yield TIME
    yield NOTHING


def sweep_lines(recipe: FitRecipe, pairs: SplitPairs, trials: int) -> Iterator[str]:
    """Yield what ``trainer sweep`` would do."""
    yield f"would train {counted(trials, 'adapter')} for {recipe.model} below {recipe.out}"
    yield _data(pairs)
    yield f"each {steps_line(recipe, pairs)}; worse ones may be ended early"
    yield f"in all at most {trials * recipe.epochs * steps_per_epoch(recipe, pairs):,} steps"
    yield "money: none but what the machines cost"
    yield TIME
    yield NOTHING


def pretrain_lines(recipe: PretrainRecipe, pairs: SplitPairs) -> Iterator[str]:
    """Yield what ``trainer pretrain`` would do."""
    images = len({pair.filename for pair in pairs.train})
    per_epoch = max(1, images // recipe.images_per_batch)
    teaching, epochs = recipe.teaching, recipe.epochs + recipe.teaching.epochs
    yield f"would make a model from scratch in {recipe.out}"
    yield from _state(recipe.out)
    yield _data(pairs)
    if teaching.teacher:
        yield (
            f"taught by {teaching.teacher}: {teaching.advising_epochs} epochs of an advisor, "
            f"{teaching.seeing_epochs} of the tower, {recipe.epochs} of the whole model"
        )
    yield (
        f"training: {counted(epochs, 'epoch')} of {counted(per_epoch, 'step')}, "
        f"{epochs * per_epoch:,} in all"
    )
    yield "money: none; it runs on this machine"
    yield TIME
    yield NOTHING


def steps_per_epoch(recipe: FitRecipe, pairs: SplitPairs) -> int:
    """Return how many optimiser steps an epoch has."""
    return math.ceil(len(pairs.train) / (recipe.batch_size * recipe.accumulation))


def steps_line(recipe: FitRecipe, pairs: SplitPairs) -> str:
    """Return how long training is, in steps."""
    per_epoch = steps_per_epoch(recipe, pairs)
    return (
        f"training: {counted(recipe.epochs, 'epoch')} of {counted(per_epoch, 'step')}, "
        f"{recipe.epochs * per_epoch:,} in all, {recipe.batch_size * recipe.accumulation} "
        "questions a step"
    )


def _data(pairs: SplitPairs) -> str:
    sizes = (("train", pairs.train), ("validation", pairs.validation), ("test", pairs.test))
    told = ", ".join(
        f"{name} {counted(len(rows), 'question')} about "
        f"{counted(len({pair.filename for pair in rows}), 'picture')}"
        for name, rows in sizes
    )
    return f"data: {told}"


def _state(out: Path) -> Iterator[str]:
    # By its name, for the module of checkpoints takes torch.
    if (out / "checkpoint").exists():
        yield f"{out} holds an unfinished run, which --resume goes on with"
