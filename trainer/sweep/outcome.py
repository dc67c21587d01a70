"""What a trial's folder says of it; the folder is the only memory that a sweep has.

TRIAL/run.json        of ``trainer.fitting.fit``: the trial is finished
TRIAL/ended.json      why it ended before: it was stopped early, or it failed
TRIAL/training.jsonl  of ``trainer.fitting.fit``: held-out exact match after each epoch
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from shared.corpus import read_json, write_json
from shared.vqa.adapting.adapters import TRAINING_RECORD
from trainer.fitting.fit import LOG_FILE
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
    rows = list(_log_rows(folder / LOG_FILE))
    base = next((row["base_exact_match"] for row in rows if row["event"] == "start"), None)
    held_out = _by_epoch(rows)
    if (folder / TRAINING_RECORD).is_file():
        return Outcome(trial, State.FINISHED, held_out, base)
    if not (folder / ENDED_FILE).is_file():
        return Outcome(trial, State.UNFINISHED, held_out, base)
    ended = read_json(folder / ENDED_FILE)
    return Outcome(trial, State(ended["state"]), held_out, base, ended["reason"])


def held_out_scores(folder: Path) -> tuple[float, ...]:
    """Return a trial's exact match by epoch, in [0, 1]."""
    return _by_epoch(_log_rows(folder / LOG_FILE))


def write_end(folder: Path, state: State, reason: str = "") -> None:
    """Note why a trial ended before it was finished."""
    write_json({"state": state.value, "reason": reason}, folder / ENDED_FILE)


def forget_end(folder: Path) -> None:
    """Take back ``write_end``: the trial is tried again."""
    (folder / ENDED_FILE).unlink(missing_ok=True)


def _by_epoch(rows: Iterable[Mapping[str, Any]]) -> tuple[float, ...]:
    return tuple(row["exact_match"] for row in rows if row["event"] == "epoch")


def _log_rows(log_file: Path) -> Iterator[dict[str, Any]]:
    if not log_file.is_file():
        return
    for line in log_file.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            # The process was killed while it wrote its last line.
            return
