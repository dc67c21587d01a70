"""What a trial's folder says of it; the folder is the only memory that a sweep has.

TRIAL/run.json        of ``trainer.fitting.run``: the trial is finished
TRIAL/ended.json      why it ended before: it was stopped early, or it failed
TRIAL/training.jsonl  of ``trainer.fitting.training_log``: held-out exact match after each epoch
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from shared.corpus import read_json, write_json
from shared.vqa.adapting.adapter_files import TRAINING_RECORD
from trainer.fitting.training_log import TrainingLog
from trainer.sweep.space import Trial, trial_folder

ENDED_FILE: Final = "ended.json"


class State(StrEnum):
    """How far a trial came."""

    FINISHED = "finished"
    STOPPED_EARLY = "stopped early"
    FAILED = "failed"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One trial; exact match in [0, 1] on the validation split, by epoch.

    ``base`` is that of the base alone, ``None`` before it was measured. ``reason`` says why a
    failed trial failed.
    """

    trial: Trial
    state: State
    held_out: tuple[float, ...] = ()
    base: float | None = None
    reason: str = ""

    @property
    def exact_match(self) -> float | None:
        """The best epoch's, whose weights are kept; ``None`` before the first epoch."""
        return max(self.held_out, default=None)

    @property
    def best_epoch(self) -> int | None:
        """Which epoch that is, counted from 1."""
        return self.held_out.index(max(self.held_out)) + 1 if self.held_out else None


def read_outcome(out: Path, trial: Trial) -> Outcome:
    """Return how far a trial came, below the sweep's folder ``out``."""
    folder = trial_folder(out, trial)
    log = TrainingLog(folder)
    base, held_out = log.base_exact_match(), log.held_out()
    if (folder / TRAINING_RECORD).is_file():
        return Outcome(trial, State.FINISHED, held_out, base)
    if not (folder / ENDED_FILE).is_file():
        return Outcome(trial, State.UNFINISHED, held_out, base)
    ended = read_json(folder / ENDED_FILE)
    return Outcome(trial, State(ended["state"]), held_out, base, ended["reason"])


def write_end(folder: Path, state: State, reason: str = "") -> None:
    """Note why a trial ended before it was finished."""
    write_json({"state": state.value, "reason": reason}, folder / ENDED_FILE)


def forget_end(folder: Path) -> None:
    """Take back ``write_end``: the trial is tried again."""
    (folder / ENDED_FILE).unlink(missing_ok=True)
