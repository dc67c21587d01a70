"""Sends a run's numbers to the trackers that the recipe names; each library is met here alone."""

from __future__ import annotations

import importlib
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Final, Protocol

from shared.errors import InputError
from shared.program.clock import SystemClock, stopwatch
from trainer.recipe.recipe import Track

PROJECT = "abo-vqa"
FLUSHED_EVERY_S: Final = 10.0
"""How soon TensorBoard sees a number at the latest, once another one comes."""
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
    """Writes event files in the thread that trains.

    That of ``SummaryWriter`` ends when the disk takes no more, and who logs then waits for ever.
    """

    def __init__(self, out: Path, recipe: Facts, first_step: int) -> None:
        self._library = _library(Track.TENSORBOARD)
        folder = out / "tensorboard"
        folder.mkdir(parents=True, exist_ok=True)
        now = round(SystemClock().now())
        file = folder / f"events.out.tfevents.{now}.{socket.gethostname()}.{os.getpid()}"
        self._file = self._library.record_writer.RecordWriter(str(file))
        self._add(0, file_version="brain.Event:2")
        # What an interrupted run wrote after its checkpoint happens again.
        session = self._library.proto.event_pb2.SessionLog
        self._add(first_step + 1, session_log=session(status=session.START))
        lines = [f"    {name} = {value}" for name, value in recipe.items()]
        text = self._library.summary.text("recipe", "\n".join(lines))
        self._add(first_step, summary=text)
        self._flushed = stopwatch()

    def log(self, scalars: Scalars, step: int) -> None:
        for name, value in scalars.items():
            self._add(step, summary=self._library.summary.scalar(name, value))
        if stopwatch() - self._flushed > FLUSHED_EVERY_S:
            self._file.flush()
            self._flushed = stopwatch()

    def close(self) -> None:
        self._file.close()

    def _add(self, step: int, **content: object) -> None:
        event = self._library.proto.event_pb2.Event
        said = event(wall_time=SystemClock().now(), step=step, **content)
        self._file.write(said.SerializeToString())


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
