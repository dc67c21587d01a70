"""Trains trials with Ray Tune; ASHA (Li et al. 2018, arXiv:1810.05934) stops those far behind.

What a trial did stands in its own folder, see ``trainer.sweep.outcome``. Ray's own memory of the
experiment is thrown away.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, Final

import shared.cluster  # noqa: F401 (before ray, which reads the token's mode when imported)

# isort: split
from ray import tune
from ray.tune.experiment import Trial as TunedTrial
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler

from shared.cluster.ray_cluster import connect_ray, last_line, leave_ray, present_share
from shared.errors import AboVqaError
from shared.files.locking import in_turn
from shared.program.stopping import StopSignal, stop_on_signals
from trainer.data.dataset import SplitPairs
from trainer.fitting.fit import fit
from trainer.fitting.training_log import TrainingLog
from trainer.recipe.recipe import FitRecipe, SweepRecipe
from trainer.sweep.outcome import (
    Outcome,
    State,
    forget_end,
    read_outcome,
    write_end,
)
from trainer.sweep.space import Trial, trial_folder, trial_recipe

SCORE: Final = "exact_match"
LOCK_FILE: Final = "trial.lock"
_ENVIRONMENT: Final[Mapping[str, str]] = {
    # Tune's tables; ours are shown instead.
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Our line says why a trial failed; Tune would put all of Ray's stack before it.
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    # Ours saves what is there and says how to go on.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}


@dataclass(frozen=True, slots=True)
class Sweeping:
    """What every trial of a sweep has in common."""

    recipe: FitRecipe
    pairs: SplitPairs
    stop: StopSignal


def train_trials(
    sweeping: Sweeping,
    outcomes: Sequence[Outcome],
    *,
    on_epoch: Callable[[str, int, float], None],
    on_end: Callable[[Outcome], None],
) -> None:
    """Train the trials that are unfinished or failed.

    The others are what ASHA measures them against. ``on_epoch`` hears of each epoch: the trial's
    name, which epoch it was, from 1, and its held-out exact match; ``on_end`` of each trial's end.

    Raises:
        AboVqaError: Ray does not start.
    """
    recipe, settings = sweeping.recipe, sweeping.recipe.sweep
    todo = [
        outcome.trial for outcome in outcomes if outcome.state in {State.UNFINISHED, State.FAILED}
    ]
    with _environment(_ENVIRONMENT), TemporaryDirectory() as storage:
        connect_ray(None, settings.concurrent, "trainer")
        try:
            with stop_on_signals(sweeping.stop, "trainer"):
                share = present_share(
                    settings.concurrent,
                    None if settings.gpus_per_trial == "auto" else settings.gpus_per_trial,
                )
                trainable = tune.with_parameters(
                    _train,
                    recipes={trial.name: trial_recipe(recipe, trial) for trial in todo},
                    pairs=sweeping.pairs,
                )
                tuner = tune.Tuner(
                    tune.with_resources(trainable, {"cpu": share.num_cpus, "gpu": share.num_gpus}),
                    param_space={"trial": tune.grid_search([trial.name for trial in todo])},
                    tune_config=tune.TuneConfig(
                        scheduler=_scheduler(settings, recipe.epochs, outcomes),
                        max_concurrent_trials=settings.concurrent,
                        # A process of its own gives all its memory back.
                        reuse_actors=False,
                    ),
                    run_config=tune.RunConfig(
                        storage_path=storage,
                        verbose=0,
                        callbacks=[_Watch(sweeping, todo, on_epoch, on_end)],
                        stop=_StopAll(sweeping.stop),
                    ),
                )
                tuner.fit()
        finally:
            leave_ray()


def _train(config: Mapping[str, str], recipes: Mapping[str, FitRecipe], pairs: SplitPairs) -> None:
    """Train one trial, in a process of its own; go on where an earlier try stopped."""
    recipe = recipes[config["trial"]]
    told = 0

    def tell(held_out: Sequence[float]) -> None:
        nonlocal told
        for score in held_out[told:]:
            told += 1
            tune.report({SCORE: score})

    def after_epoch(held_out: Sequence[float]) -> None:
        # The last one waits until the adapter's card is written: it may end the process.
        if len(held_out) < recipe.epochs:
            tell(held_out)

    # The process of a sweep that was killed may not be gone yet.
    with in_turn(recipe.out / LOCK_FILE):
        forget_end(recipe.out)
        try:
            fit(recipe, resume=True, pairs=pairs, on_epoch=after_epoch)
        except AboVqaError as error:
            write_end(recipe.out, State.FAILED, str(error))
            return
    # Nothing is learned from it but that ASHA has more to compare with.
    tell(TrainingLog(recipe.out).held_out())


def _scheduler(settings: SweepRecipe, epochs: int, outcomes: Sequence[Outcome]) -> TrialScheduler:
    """Return ASHA, which knows what earlier trials reached; where none is stopped, none."""
    if settings.grace_epochs >= epochs:
        return FIFOScheduler()
    asha = AsyncHyperBandScheduler(
        time_attr="training_iteration",
        metric=SCORE,
        mode="max",
        max_t=epochs,
        grace_period=settings.grace_epochs,
        reduction_factor=settings.reduction,
    )
    for outcome in outcomes:
        if outcome.state not in {State.FINISHED, State.STOPPED_EARLY}:
            continue
        # ASHA reads no more of a trial than its id.
        before = SimpleNamespace(trial_id=outcome.trial.name)
        asha.on_trial_add(None, before)
        for epoch, score in enumerate(outcome.held_out, start=1):
            asha.on_trial_result(None, before, {"training_iteration": epoch, SCORE: score})
    return asha


class _Watch(tune.Callback):
    """Tells how far the trials are; notes in a trial's folder why it ended, where it could not."""

    def __init__(
        self,
        sweeping: Sweeping,
        trials: Sequence[Trial],
        on_epoch: Callable[[str, int, float], None],
        on_end: Callable[[Outcome], None],
    ) -> None:
        self._sweeping, self._on_epoch, self._on_end = sweeping, on_epoch, on_end
        self._trials = {trial.name: trial for trial in trials}

    def __getstate__(self) -> dict[str, object]:
        """Return nothing: Tune keeps a copy for a restart of its own, and ours have no need."""
        return {}

    def on_trial_result(
        self,
        iteration: int,
        trials: Sequence[TunedTrial],
        trial: TunedTrial,
        result: Mapping[str, Any],
        **info: object,
    ) -> None:
        """Tell of an epoch."""
        del iteration, trials, info
        self._on_epoch(trial.config["trial"], result["training_iteration"], result[SCORE])

    def on_trial_complete(
        self,
        iteration: int,
        trials: Sequence[TunedTrial],
        trial: TunedTrial,
        **info: object,
    ) -> None:
        """Note that ASHA stopped it, unless it is finished, or all of them were stopped."""
        del iteration, trials, info
        ours = self._trials[trial.config["trial"]]
        outcome = self._outcome(ours)
        if outcome.state is State.UNFINISHED and not self._sweeping.stop.requested:
            write_end(trial_folder(self._sweeping.recipe.out, ours), State.STOPPED_EARLY)
            outcome = self._outcome(ours)
        self._on_end(outcome)

    def on_trial_error(
        self,
        iteration: int,
        trials: Sequence[TunedTrial],
        trial: TunedTrial,
        **info: object,
    ) -> None:
        """Note what nobody expected."""
        del iteration, trials, info
        ours = self._trials[trial.config["trial"]]
        reason = last_line(trial.get_error() or AboVqaError("its process died"))
        write_end(trial_folder(self._sweeping.recipe.out, ours), State.FAILED, reason)
        self._on_end(self._outcome(ours))

    def _outcome(self, trial: Trial) -> Outcome:
        return read_outcome(self._sweeping.recipe.out, trial)


class _StopAll(tune.Stopper):
    """Ends the experiment when a signal asked for it; trials go on at their checkpoints later."""

    def __init__(self, stop: StopSignal) -> None:
        self._stop = stop

    def __call__(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Stop no single trial."""
        del trial_id, result
        return False

    def stop_all(self) -> bool:
        """Return whether a signal came."""
        return self._stop.requested


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
