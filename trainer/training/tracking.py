"""Sends a run's numbers to the trackers that the recipe names; each library is met here alone."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Protocol

from shared.errors import InputError
from trainer.recipe.recipe import Track

PROJECT = "abo-vqa"
Scalars = Mapping[str, float]
Facts = Mapping[str, object]


class Tracker(Protocol):
    """Takes the numbers of one run."""

    def log(self, scalars: Scalars, step: int) -> None:
        """Take numbers by name, as they are after ``step`` optimiser steps."""
        ...

    def close(self) -> None:
        """Write what is still held back."""
        ...


def open_trackers(
    names: Sequence[Track], out: Path, recipe: Facts, first_step: int
) -> list[Tracker]:
    """Start the trackers of one run, which goes on after ``first_step`` where it was resumed."""
    return [_OPENERS[name](out, recipe, first_step) for name in names]


def require_trackers(names: Sequence[Track]) -> None:
    """Raise where a tracker cannot start, before anything slow; no run is begun.

    Raises:
        InputError: its library is missing, or its server or key is refused.
    """
    for name in names:
        library = _library(name)
        if name is Track.WANDB:
            with _starting_wandb(library):
                library.login(verify=True)
        elif name is Track.MLFLOW:
            with _starting_mlflow(library):
                library.set_experiment(PROJECT)


class _TensorBoard:
    def __init__(self, out: Path, recipe: Facts, first_step: int) -> None:
        writer = _library(Track.TENSORBOARD).SummaryWriter
        # What an interrupted run wrote after its checkpoint happens again.
        self._writer = writer(str(out / "tensorboard"), purge_step=first_step + 1)
        lines = [f"    {name} = {value}" for name, value in recipe.items()]
        self._writer.add_text("recipe", "\n".join(lines), first_step)

    def log(self, scalars: Scalars, step: int) -> None:
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _WandB:
    def __init__(self, out: Path, recipe: Facts, first_step: int) -> None:
        id_file = out / "wandb-run-id"
        wandb = _library(Track.WANDB)
        with _starting_wandb(wandb):
            self._run = wandb.init(
                project=PROJECT,
                name=out.name,
                id=_kept_id(id_file, first_step),
                resume="allow",
                dir=str(out),
                config=dict(recipe),
            )
        id_file.write_text(self._run.id, encoding="utf-8")

    def log(self, scalars: Scalars, step: int) -> None:
        self._run.log(dict(scalars), step=step)

    def close(self) -> None:
        self._run.finish()


class _MLflow:
    def __init__(self, out: Path, recipe: Facts, first_step: int) -> None:
        self._mlflow = _library(Track.MLFLOW)
        id_file = out / "mlflow-run-id"
        resumed = _kept_id(id_file, first_step)
        with _starting_mlflow(self._mlflow):
            self._mlflow.set_experiment(PROJECT)
            run = self._mlflow.start_run(run_id=resumed, run_name=out.name)
            if resumed is None:
                self._mlflow.log_params(dict(recipe))
        id_file.write_text(run.info.run_id, encoding="utf-8")

    def log(self, scalars: Scalars, step: int) -> None:
        self._mlflow.log_metrics(dict(scalars), step=step)

    def close(self) -> None:
        self._mlflow.end_run()


@contextmanager
def _starting_wandb(wandb: ModuleType) -> Iterator[None]:
    try:
        yield
    except wandb.Error as error:
        raise InputError(
            f"track: wandb does not start ({_why(error)}); `wandb login`, or set WANDB_MODE=offline"
        ) from error


@contextmanager
def _starting_mlflow(mlflow: ModuleType) -> Iterator[None]:
    try:
        yield
    except (mlflow.MlflowException, ImportError) as error:
        raise InputError(
            f"track: mlflow does not start ({_why(error)}); set MLFLOW_TRACKING_URI to "
            "a server, or to a folder and MLFLOW_ALLOW_FILE_STORE=true"
        ) from error


def _kept_id(id_file: Path, first_step: int) -> str | None:
    """Return the id of the run that goes on, ``None`` where one begins."""
    return id_file.read_text(encoding="utf-8") if first_step and id_file.is_file() else None


def _why(error: BaseException) -> str:
    """Return the first sentence of a message."""
    return str(error).partition("\n")[0].partition(". ")[0]


_OPENERS: Mapping[Track, Callable[[Path, Facts, int], Tracker]] = {
    Track.TENSORBOARD: _TensorBoard,
    Track.WANDB: _WandB,
    Track.MLFLOW: _MLflow,
}
_MODULES = {Track.TENSORBOARD: "tensorboardX", Track.WANDB: "wandb", Track.MLFLOW: "mlflow"}


def _library(name: Track) -> ModuleType:
    try:
        return importlib.import_module(_MODULES[name])
    except ImportError as error:
        extra = "trainer" if name is Track.TENSORBOARD else name.value
        raise InputError(
            f"track: {name} needs a library that is not installed; pip install 'abo-vqa[{extra}]', "
            "or leave it out"
        ) from error
