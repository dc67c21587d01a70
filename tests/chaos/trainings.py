"""Trainings killed, stopped and on full disks at random steps: they end as one that was not.

A seed is a run of ``trainer fit`` or, now and then, of ``trainer pretrain``.
"""

from __future__ import annotations

import functools
import json
import random
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.util import Finalize
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from shared.files.atomic import whole_folder
from shared.program.cli import run_program
from shared.program.stopping import GOES_ON_WITH_RESUME
from tests.chaos.befalling import UnderFire, differences, left_in
from tests.chaos.forked import Forked
from tests.chaos.report import Told
from tests.curator.campaigns import Ended
from trainer.__main__ import app

SETTINGS: Final = {"epochs": 5, "checkpoint_every_steps": 2, "learning_rate": 1e-2}
STEPS: Final = 15
PRETRAINING: Final = {
    "epochs": 4,
    "images_per_batch": 4,
    "evaluate_every_epochs": 2,
    "title": "a small model",
    "credit": "Pictures drawn by a test.",
}
SHAPE: Final = {
    "width": 32,
    "heads": 2,
    "vision_layers": 1,
    "question_layers": 1,
    "image_size": 32,
    "patch_size": 16,
    "vocabulary": 120,
    "max_text_tokens": 32,
    "dropout": 0.2,
}
MOST_RUNS: Final = 12
_SAVED: Final = re.compile(r"after step (\d+), which is saved")
LOG: Final = "training.jsonl"
CHECKPOINT: Final = "checkpoint"
OF_THE_MOMENT: Final = frozenset({"tensorboard", "training.lock"})
"""What tells when something was done, or is empty."""


@dataclass(frozen=True)
class Stage:
    """Data, a base, and for each command what a run that nothing befell left, and its seconds."""

    folder: Path
    left: Mapping[str, Mapping[str, bytes]]
    took_s: Mapping[str, float]


@dataclass
class Training(UnderFire):
    """A run under fire, of ``command`` with a recipe in ``folder``."""

    program = "trainer"
    disk_bytes = (0, 1_000, 5_000, 50_000, 100_000, 200_000)

    command: str
    folder: Path
    took_s: float

    @property
    def out(self) -> Path:
        """Where it writes to."""
        return self.folder / "out"

    def start(self, *options: str) -> Forked:
        """Begin it, or go on with it."""
        self.runs += 1
        recipe = self.folder / f"{self.command}.toml"
        return Forked(run_trainer, [self.command, str(recipe), "--resume", *options])

    def steps_logged(self) -> int:
        """Return how many steps it noted."""
        try:
            return (self.out / LOG).read_text(encoding="utf-8").count('"event": "step"')
        except FileNotFoundError:
            return 0

    def saved_step(self) -> int:
        """Return the step of its checkpoint, which has to be whole; 0 where there is none."""
        saved = whole_folder(self.out / CHECKPOINT)
        if saved is None:
            return 0
        step: int = json.loads((saved / "state.json").read_text())["step"]
        if {path.name for path in saved.iterdir()} != {
            *("state.json", "optimizer.pt", "weights.safetensors")
        }:
            self.lost.append(f"the checkpoint of step {step} is not whole")
        return step

    def over(self, process: Forked, allowed: set[int]) -> int | None:
        """Wait for the end of a run; what it says that it saved has to be there."""
        code = super().over(process, allowed)
        saved = _SAVED.search(self.last_line)
        if saved and int(saved[1]) != (there := self.saved_step()):
            self.lost.append(f"step {saved[1]} is not saved, but {there}")
        return code


async def chaos_of_trainings(seed: int, folder: Path, listings: int) -> Told:
    """Play a seed; return what was tried and what was lost."""
    del listings
    die = random.Random(seed)
    stage = _stage()
    command = "pretrain" if seed % 4 == 3 else "fit"
    # Beside the one that nothing befell, for what is written names the pictures from there.
    folder = stage.folder / f"seed-{seed}"
    training = Training(die, command, folder, stage.took_s[command])
    _write_recipes(training.folder, stage.folder)
    try:
        for _ in range(die.randint(2, 5)):
            if not _is_finished(training):
                _interrupt(training)
        _to_the_end(training)
        if not training.lost:
            training.lost += differences(stage.left[command], left_in(training.out, OF_THE_MOMENT))
    finally:
        shutil.rmtree(training.folder)
    figures = {"steps": STEPS, "runs": training.runs}
    return Told(seed, f"trainer {command}", training.lost, training.tried, figures)


@functools.cache
def _stage() -> Stage:
    """Make it once for all seeds; it is gone when the process ends."""
    holder = TemporaryDirectory(prefix="abo-vqa-chaos-")
    # Where multiprocessing started this process, it ends without what ``atexit`` knows.
    Finalize(None, holder.cleanup, exitpriority=1)
    folder = Path(holder.name)
    _well(Forked(write_stage, folder).ended())
    left, took_s = {}, {}
    for command in ("fit", "pretrain"):
        whole = Training(random.Random(), command, folder / command, 0.0)
        _write_recipes(whole.folder, folder)
        started = time.monotonic()
        _well(whole.start().ended())
        took_s[command] = time.monotonic() - started
        left[command] = left_in(whole.out, OF_THE_MOMENT)
    return Stage(folder, left, took_s)


def write_stage(folder: Path) -> None:
    """Write the base, the data and a recipe of each command."""
    from tests.models import save_tiny_model  # noqa: PLC0415 - torch
    from tests.trainer.recipes import fit_settings, write_data, write_recipe  # noqa: PLC0415

    base = save_tiny_model(folder / "base")
    write_data(folder)
    write_recipe(folder / "fit.toml", fit_settings(base, folder, out="OUT", **SETTINGS))
    places = {"data": str(folder / "pairs.jsonl"), "images": str(folder / "images"), "out": "OUT"}
    write_recipe(folder / "pretrain.toml", {**places, **PRETRAINING, "shape": SHAPE})


def run_trainer(words: list[str]) -> None:
    """Do as ``trainer`` does on a command line."""
    goes_on = dict.fromkeys(("fit", "pretrain"), GOES_ON_WITH_RESUME)
    run_program(app, "trainer", words, goes_on=goes_on)


def _write_recipes(folder: Path, stage: Path) -> None:
    folder.mkdir()
    for path in stage.glob("*.toml"):
        text = path.read_text(encoding="utf-8").replace('"OUT"', f'"{folder / "out"}"')
        (folder / path.name).write_text(text, encoding="utf-8")


def _well(ended: Ended) -> None:
    assert ended.code == 0, ended.err


def _interrupt(training: Training) -> None:
    """Start a run and let something befall it at a random step, or at a random time."""
    before, process = training.saved_step(), training.start()
    if training.command == "fit" and training.die.random() < 0.6:
        wanted = training.die.randint(1, STEPS)
        process.wait_until(lambda: training.steps_logged() >= wanted)
        process.wait_until(lambda: False, training.die.uniform(0.0, 0.05))
    else:
        process.wait_until(lambda: False, training.die.uniform(0.0, training.took_s))
    kill, stop, twice, fill = training.kill, training.stop, training.stop_twice, training.fill_disk
    befalls = training.die.choice([kill, kill, stop, twice, fill])
    training.over(process, befalls(process))
    if (now := training.saved_step()) < before and not _is_finished(training):
        training.lost.append(f"the checkpoint went from step {before} to {now}")


def _is_finished(training: Training) -> bool:
    return (training.out / ("run.json" if training.command == "fit" else "config.json")).is_file()


def _to_the_end(training: Training) -> None:
    for _ in range(MOST_RUNS):
        if training.command == "pretrain" and _is_finished(training):
            # Whoever made a model is told to measure it so where that was broken off.
            training.over(training.start("--describe-only"), {0})
            return
        if training.over(training.start(), {0}) == 0:
            return
    training.lost.append(f"not done after {MOST_RUNS} runs")
