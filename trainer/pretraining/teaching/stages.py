"""The stages of a run, each with a rise and a fall of the learning rate of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from trainer.pretraining.recipe import PretrainRecipe
from trainer.recipe.schedule import learning_rate_factor
from trainer.training.loop import Optimization


class Stage(StrEnum):
    """What is learned, in this order."""

    ADVISING = "advising"
    SEEING = "seeing"
    ANSWERING = "answering"


def stages_of(recipe: PretrainRecipe) -> Mapping[Stage, int]:
    """Return the epochs of each stage, in their order; without a teacher, of answering alone."""
    teaching = recipe.teaching
    answering = {Stage.ANSWERING: recipe.epochs}
    if not teaching.teacher:
        return answering
    return {
        Stage.ADVISING: teaching.advising_epochs,
        Stage.SEEING: teaching.seeing_epochs,
        **answering,
    }


def stage_at(recipe: PretrainRecipe, epoch: int) -> Stage:
    """Return the stage of an epoch, counted from 0."""
    end = 0
    for stage, epochs in stages_of(recipe).items():
        end += epochs
        if epoch < end:
            return stage
    raise ValueError(f"epoch {epoch} is after the last")


def first_epoch(recipe: PretrainRecipe, stage: Stage) -> int:
    """Return the first epoch of a stage, counted from 0."""
    stages = stages_of(recipe)
    return sum(stages[each] for each in list(stages)[: list(stages).index(stage)])


def steps_of_stage(recipe: PretrainRecipe, steps: int, steps_per_epoch: int) -> int:
    """Return how many of so many steps in all, at least one, are of the stage of the last one."""
    stage = stage_at(recipe, (steps - 1) // steps_per_epoch)
    return steps - first_epoch(recipe, stage) * steps_per_epoch


@dataclass(frozen=True)
class StagedOptimization(Optimization):
    """An optimisation whose rate rises and falls anew in each stage; ``stages`` has their steps."""

    stages: tuple[int, ...]
    warmup_fraction: float

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0 over all stages."""
        begin = 0
        for steps in self.stages:
            if step < begin + steps:
                warmup = max(1, int(steps * self.warmup_fraction))
                factor = learning_rate_factor(self.schedule, step - begin, warmup, steps)
                return self.learning_rate * factor
            begin += steps
        return 0.0
