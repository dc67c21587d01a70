"""A training run, whatever it trains: started, trained to its end, finished.

An adapter's is ``trainer.fitting.run``, that of a model from scratch ``trainer.pretraining.run``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import nn

from shared.errors import StoppedForNow
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.progress import report_progress
from shared.program.stopping import StopSignal
from trainer.training.checkpoint import (
    RunState,
    forget_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from trainer.training.loop import Lessons, NonFiniteGradient, Optimization, StepReport, train
from trainer.training.memory import out_of_memory_names
from trainer.training.run_files import CHECKPOINT
from trainer.training.team import ALONE, Team

log = EventLog(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Course:
    """What a run takes its steps with."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    lessons: Lessons
    settings: Optimization
    steps_per_epoch: int
    team: Team = ALONE


@dataclass(frozen=True)
class Keeping:
    """Where a run is kept, how often, and as which: only the same run goes on with it."""

    out: Path
    every_steps: int
    fingerprint: str


class Run(ABC, Generic[Result]):
    """One run; ``start``, ``train`` and ``finish`` are called in this order."""

    def __init__(self, course: Course, keeping: Keeping, stop: StopSignal) -> None:
        self._course, self._keeping, self._stop = course, keeping, stop
        self.step = 0
        """Optimiser steps done."""

    def start(self, *, resume: bool) -> None:
        """Begin at the checkpoint where ``resume`` is set and there is one, else at step 0.

        Raises:
            InputError: the checkpoint belongs to another recipe or other data.
        """
        checkpoint = self._keeping.out / CHECKPOINT
        if resume:
            saved = load_checkpoint(checkpoint, self._course.optimizer, self._keeping.fingerprint)
            if saved is not None:
                state, weights = saved
                self.step = state.step
                self._restore(weights)
                log.info("resumed", checkpoint=str(checkpoint), step=self.step)
                return
            log.info("nothing_to_resume", checkpoint=str(checkpoint), step=0)
        forget_checkpoint(checkpoint)
        self._begin()

    def train(self) -> None:
        """Take the steps that are left; keep what came of each.

        Raises:
            NonFiniteGradient: training diverged; the last good state is saved.
            OutOfMemory: the message names the setting to lower.
            StoppedForNow: a stop was requested; the state is saved.
        """
        course, total = self._course, self._course.settings.total_steps
        steps = train(
            course.network,
            course.optimizer,
            course.lessons,
            course.settings,
            first_step=self.step,
            team=course.team,
        )
        memory = out_of_memory_names(self.memory_advice)
        with report_progress("training", total) as progress, memory:
            progress.advance(self.step)
            try:
                # A run may have been killed between its last epoch and its end.
                while self.step < total and not course.team.told(self._out_of_patience()):
                    report = next(steps)
                    self._after_step(report)
                    progress.advance(note=self._tell(report))
                    self._stop_if_asked()
            except NonFiniteGradient as error:
                self._save()
                raise NonFiniteGradient(
                    f"{error}; the state before it is in {self._keeping.out / CHECKPOINT}"
                ) from error

    @abstractmethod
    def finish(self) -> Result:
        """Keep what the run made, and forget its checkpoint."""

    @property
    @abstractmethod
    def memory_advice(self) -> str:
        """Which settings to change where training runs out of memory."""

    @abstractmethod
    def _begin(self) -> None:
        """Prepare the folder for step 0."""

    @abstractmethod
    def _weights(self) -> Mapping[str, torch.Tensor]:
        """Return what training has changed, by name."""

    @abstractmethod
    def _restore(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Go on with what ``_weights`` returned after ``step`` steps."""

    @abstractmethod
    def _keep_step(self, report: StepReport) -> None:
        """Keep what a step did, before anything is scored or saved."""

    @abstractmethod
    def _keep_epoch(self, epoch: int, report: StepReport) -> None:
        """Score and keep what an epoch, counted from 1, made of the weights."""

    def _epoch_saved(self, epoch: int) -> None:
        """Hear that the checkpoint after an epoch is there."""

    def _tell(self, report: StepReport) -> str:
        """Tell of a step; return the note beside the progress."""
        return f"loss {report.loss:.3f}"

    def _out_of_patience(self) -> bool:
        """Return whether to end before the last step."""
        return False

    def _after_step(self, report: StepReport) -> None:
        self._keep_step(report)
        self.step = report.step
        epoch, inside = divmod(report.step, self._course.steps_per_epoch)
        if inside == 0:
            self._keep_epoch(epoch, report)
        if inside == 0 or report.step % self._keeping.every_steps == 0:
            self._save()
        if inside == 0:
            self._epoch_saved(epoch)

    def _stop_if_asked(self) -> None:
        # Devices hear of a stop at different steps, and take all their steps together.
        asked = self._course.team.total(self._stop.requested)
        if asked and self.step < self._course.settings.total_steps:
            self._save()
            raise StoppedForNow(
                f"{self._stop.reason or 'stopped'} after step {self.step}, which is saved; give "
                "the same command with --resume to go on"
            )

    def _save(self) -> None:
        save_checkpoint(
            self._keeping.out / CHECKPOINT,
            self._weights(),
            self._course.optimizer,
            RunState(self.step, self._keeping.fingerprint),
        )
