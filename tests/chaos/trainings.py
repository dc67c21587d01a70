"""Trainings killed, stopped and on full disks at random steps: they end as one that was not.

A seed is a run of ``trainer fit`` or, now and then, of ``trainer pretrain``.
"""

from __future__ import annotations

import functools
import json
import random
import re
import shutil
import signal
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.util import Finalize
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from shared.files.atomic import whole_folder
from shared.program.cli import run_program
from shared.program.stopping import GOES_ON_WITH_RESUME, SIGNALS
from tests.chaos.forked import Forked, import_before
from tests.chaos.report import Told
from tests.curator.campaigns import Ended
from trainer.__main__ import app

IMPORTED_BEFORE: Final = (
    *("tests.trainer.recipes", "tests.models", "trainer.commands.fit", "trainer.commands.pretrain"),
    *("trainer.fitting.fit", "trainer.pretraining.pretrain", "torch.utils.tensorboard"),
)
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
class Training:
    """A run under fire: what befalls it is decided by ``die`` and counted in ``tried``."""

    command: str
    folder: Path
    took_s: float
    die: random.Random
    tried: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    runs: int = 0

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


async def chaos_of_trainings(seed: int, folder: Path, listings: int) -> Told:
    """Play a seed; return what was tried and what was lost."""
    del folder, listings
    die = random.Random(seed)
    stage = _stage()
    command = "pretrain" if seed % 4 == 3 else "fit"
    # Beside the one that nothing befell, for what is written names the pictures from there.
    training = Training(command, stage.folder / f"seed-{seed}", stage.took_s[command], die)
    _write_recipes(training.folder, stage.folder)
    try:
        for _ in range(die.randint(2, 5)):
            if not _is_finished(training):
                _interrupt(training)
        _to_the_end(training)
        if not training.lost:
            training.lost += _differences(stage.left[command], _left_in(training.out))
    finally:
        shutil.rmtree(training.folder)
    figures = {"steps": STEPS, "runs": training.runs}
    return Told(seed, f"trainer {command}", training.lost, training.tried, figures)


@functools.cache
def _stage() -> Stage:
    """Make it once for all seeds; it is gone when the process ends."""
    import_before(IMPORTED_BEFORE)
    holder = TemporaryDirectory(prefix="abo-vqa-chaos-")
    # Where multiprocessing started this process, it ends without what ``atexit`` knows.
    Finalize(None, holder.cleanup, exitpriority=1)
    folder = Path(holder.name)
    _well(Forked(write_stage, folder).ended())
    left, took_s = {}, {}
    for command in ("fit", "pretrain"):
        whole = Training(command, folder / command, 0.0, random.Random())
        _write_recipes(whole.folder, folder)
        started = time.monotonic()
        _well(whole.start().ended())
        took_s[command] = time.monotonic() - started
        left[command] = _left_in(whole.out)
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
    befalls = training.die.choice([_kill, _kill, _stop, _stop_twice, _fill_its_disk])
    allowed = befalls(training, process)
    _over(training, process, allowed)
    if (now := training.saved_step()) < before and not _is_finished(training):
        training.lost.append(f"the checkpoint went from step {before} to {now}")


def _kill(training: Training, process: Forked) -> set[int]:
    training.tried["kill -9"] += 1
    process.send(signal.SIGKILL)
    return {-signal.SIGKILL, 0}


def _stop(training: Training, process: Forked) -> set[int]:
    training.tried["one signal"] += 1
    process.ask_to_stop(training.die.choice(SIGNALS))
    return {75, 0}


def _stop_twice(training: Training, process: Forked) -> set[int]:
    training.tried["two signals"] += 1
    for _ in range(2):
        process.ask_to_stop(training.die.choice(SIGNALS))
        process.wait_until(lambda: False, training.die.uniform(0.0, 0.05))
    return {75, 0}


def _fill_its_disk(training: Training, process: Forked) -> set[int]:
    training.tried["a full disk"] += 1
    process.limit_files(training.die.choice([0, 1_000, 5_000, 50_000, 100_000, 200_000]))
    return {0, 1}


def _over(training: Training, process: Forked, allowed: set[int]) -> int | None:
    """Wait for the end of a run; return its exit code, ``None`` where it took too long."""
    try:
        result = process.ended()
    except TimeoutError as error:
        training.lost.append(str(error))
        return None
    training.tried[f"ended with {result.code}"] += 1
    training.lost += _faults_of(result, allowed)
    saved = _SAVED.search(result.err)
    if saved and int(saved[1]) != (there := training.saved_step()):
        training.lost.append(f"step {saved[1]} is not saved, but {there}")
    return result.code


def _faults_of(result: Ended, allowed: set[int]) -> list[str]:
    said = result.err[-1_500:]
    line = (said.splitlines() or [""])[-1]
    if "Traceback" in result.err or "Exception ignored" in result.err:
        return [f"a traceback: {said}"]
    if result.code not in allowed:
        return [f"a run ended with {result.code}: {said}"]
    if result.code > 0 and not line.startswith("trainer: "):
        return [f"a run ended with {result.code} and no line that says why: {said}"]
    if result.code == 1 and "make room" not in line:
        return [f"a full disk is not what the last line tells: {said}"]
    return []


def _is_finished(training: Training) -> bool:
    return (training.out / ("run.json" if training.command == "fit" else "config.json")).is_file()


def _to_the_end(training: Training) -> None:
    for _ in range(MOST_RUNS):
        if training.command == "pretrain" and _is_finished(training):
            # Whoever made a model is told to measure it so where that was broken off.
            _over(training, training.start("--describe-only"), {0})
            return
        if _over(training, training.start(), {0}) == 0:
            return
    training.lost.append(f"not done after {MOST_RUNS} runs")


def _left_in(out: Path) -> dict[str, bytes]:
    """Return what a run left: the content of each file."""
    files = (path for path in out.rglob("*") if path.is_file())
    named = {path.relative_to(out): path for path in files}
    return {
        str(name): path.read_bytes()
        for name, path in named.items()
        if name.parts[0] not in OF_THE_MOMENT
    }


def _differences(whole: Mapping[str, bytes], resumed: Mapping[str, bytes]) -> list[str]:
    odd = [name for name in whole.keys() | resumed.keys() if whole.get(name) != resumed.get(name)]
    return [f"not as a run that nothing befell left it: {', '.join(sorted(odd))}"] if odd else []
