"""Sweeps that are killed, stopped and lose a trial's process: they end as one that was not.

Trials run in processes of Ray, one after the other; no trial is stopped early, which hangs on when
each of them gets where.
"""

from __future__ import annotations

import functools
import json
import random
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.util import Finalize
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psutil

from shared.program.cli import run_program
from tests.chaos.befalling import UnderFire, differences, left_in
from tests.chaos.forked import Forked
from tests.chaos.report import Told
from trainer.__main__ import app

EPOCHS: Final = 4
SPACE: Final = {"rank": [2, 4], "concurrent": 1, "grace_epochs": EPOCHS}
TRIALS: Final = 2
MOST_RUNS: Final = 12
OF_THE_MOMENT: Final = frozenset({"sweep.lock"})
# What Ray Tune calls the actor of a function; Ray's own agents are ``ray::`` as well, and with them
# the whole node goes.
_TRIALS_PROCESS: Final = "ray::ImplicitFunc"


@dataclass(frozen=True)
class Stage:
    """Data and a base, what a sweep that nothing befell left, and its seconds."""

    folder: Path
    left: Mapping[str, bytes]
    took_s: float


@dataclass
class Sweep(UnderFire):
    """A sweep under fire, with a recipe in ``folder``."""

    program = "trainer"
    disk_bytes = ()
    longest_s = 240.0

    folder: Path
    took_s: float

    @property
    def out(self) -> Path:
        """Where it writes to."""
        return self.folder / "out"

    def start(self) -> Forked:
        """Begin it, or go on with it."""
        self.runs += 1
        return Forked(run_sweep, [*("sweep", str(self.folder / "sweep.toml"))])

    def let_it_end(self, process: Forked) -> set[int]:
        """Do nothing."""
        del process
        return {0}

    def kill_a_trial(self, process: Forked) -> set[int]:
        """End the process of the trial at hand; a later run tries it again."""
        process.wait_until(lambda: bool(_trials_below(process)), self.took_s)
        for trial in _trials_below(process):
            self.tried["a trial killed"] += 1
            trial.send_signal(signal.SIGKILL)
        # It may have been the only one.
        return {0, 1}

    def left(self) -> dict[str, bytes]:
        """Return what it wrote, with the folder's name as if it had none."""
        own = str(self.folder).encode()
        return {
            name: content.replace(own, b"")
            for name, content in left_in(self.out, OF_THE_MOMENT).items()
            if not name.endswith(".lock")
        }

    def finished(self) -> int:
        """Return how many trials are."""
        return len(list(self.out.glob("trials/*/run.json")))


async def chaos_of_sweeps(seed: int, folder: Path, listings: int) -> Told:
    """Play a seed; return what was tried and what was lost."""
    del listings
    stage = _stage()
    # Beside the one that nothing befell, for what is written names the pictures from there.
    folder = stage.folder / f"seed-{seed}"
    sweep = Sweep(random.Random(seed), folder, stage.took_s)
    _write_recipe(stage.folder, folder)
    try:
        for _ in range(sweep.die.randint(1, 3)):
            _interrupt(sweep)
        _to_the_end(sweep)
        if not sweep.lost:
            sweep.lost += differences(stage.left, sweep.left())
    finally:
        shutil.rmtree(folder)
    return Told(seed, "trainer sweep", sweep.lost, sweep.tried, {"runs": sweep.runs})


@functools.cache
def _stage() -> Stage:
    """Make it once for all seeds; it is gone when the process ends."""
    holder = TemporaryDirectory(prefix="abo-vqa-chaos-")
    # Where multiprocessing started this process, it ends without what ``atexit`` knows.
    Finalize(None, holder.cleanup, exitpriority=1)
    folder = Path(holder.name)
    written = Forked(write_stage, folder).ended()
    assert written.code == 0, written.err
    whole = Sweep(random.Random(), folder / "whole", 0.0)
    _write_recipe(folder, whole.folder)
    started = time.monotonic()
    ended = whole.start().ended(whole.longest_s)
    assert (ended.code, whole.finished()) == (0, TRIALS), ended.err
    return Stage(folder, whole.left(), time.monotonic() - started)


def write_stage(folder: Path) -> None:
    """Write the base, the data and the recipe."""
    from tests.models import save_tiny_model  # noqa: PLC0415 - torch
    from tests.trainer.recipes import fit_settings, write_data, write_recipe  # noqa: PLC0415

    base = save_tiny_model(folder / "base")
    write_data(folder)
    fixed = {"epochs": EPOCHS, "checkpoint_every_steps": 2, "learning_rate": 1e-2, "track": []}
    settings = fit_settings(base, folder, out="OUT", **fixed)
    write_recipe(folder / "sweep.toml", {**settings, "sweep": SPACE})


def run_sweep(words: list[str]) -> None:
    """Do as ``trainer`` does on a command line."""
    run_program(app, "trainer", words)


def _write_recipe(stage: Path, folder: Path) -> None:
    folder.mkdir()
    text = (stage / "sweep.toml").read_text(encoding="utf-8")
    text = text.replace('"OUT"', json.dumps(str(folder / "out")))
    (folder / "sweep.toml").write_text(text, encoding="utf-8")


def _interrupt(sweep: Sweep) -> None:
    """Start a run and let something befall it at a random time."""
    before, process = sweep.finished(), sweep.start()
    process.wait_until(lambda: False, sweep.die.uniform(0.0, 1.2 * sweep.took_s))
    kill, stop, twice, trial = sweep.kill, sweep.stop, sweep.stop_twice, sweep.kill_a_trial
    befalls = sweep.die.choice([kill, kill, stop, twice, trial, trial])
    sweep.over(process, befalls(process) | {0})
    if (now := sweep.finished()) < before:
        sweep.lost.append(f"{before} trials were finished, {now} are")


def _to_the_end(sweep: Sweep) -> None:
    for _ in range(MOST_RUNS):
        if sweep.over(sweep.start(), {0}) == 0 and sweep.finished() == TRIALS:
            return
    sweep.lost.append(f"not done after {MOST_RUNS} runs")


def _trials_below(process: Forked) -> list[psutil.Process]:
    """Return the processes in which Ray trains for a run."""
    try:
        below = psutil.Process(process.pid).children(recursive=True)
        return [each for each in below if _is_a_trial(each)]
    except psutil.NoSuchProcess:
        return []


def _is_a_trial(process: psutil.Process) -> bool:
    return " ".join(process.cmdline()).startswith(_TRIALS_PROCESS)
