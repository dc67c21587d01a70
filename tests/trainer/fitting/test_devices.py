"""`trainer fit --devices N`: the adapter of one device, and a lost one told and made up for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from shared.errors import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_STOPPED_FOR_NOW
from shared.records import QAPair
from shared.vqa.adapting.adapter_files import ADAPTER_WEIGHTS
from tests.trainer.recipes import fit_settings, write_recipe
from trainer.data.batches import Batches
from trainer.training.run_files import CHECKPOINT, LOG_FILE

LORA = {"rank": 4, "alpha": 8, "dropout": 0.0, "targets": ["query", "key", "value"]}
SOME = 3
"""Steps after which a device is lost."""


@pytest.fixture
def recipe(tiny_model, data, tmp_path):
    def written(name: str, **changes: object) -> Path:
        settings = fit_settings(tiny_model, data, out=str(tmp_path / name), **changes)
        return write_recipe(tmp_path / f"{name}.toml", settings | {"lora": LORA})

    return written


def fit_command(recipe: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "trainer", "fit", str(recipe), *words]


def run(recipe: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(fit_command(recipe, *words), capture_output=True, text=True, check=False)


def test_the_parts_of_a_step_are_all_of_it():
    pairs = [QAPair(str(n), "what", "red", f"{n % 7}.png") for n in range(23)]
    batches = Batches(pairs, batch_size=3, accumulation=2, seed=0)
    for step in range(batches.steps_per_epoch):
        whole = [pair for cut in batches.micro_batches(step) for pair in cut]
        for size in (1, 2, 3, 9):
            parts = [batches.micro_batches(step, part, size) for part in range(size)]
            assert [pair for part in parts for cut in part for pair in cut] == whole
            assert max(len(cut) for part in parts for cut in part) <= 3


def test_more_devices_than_there_are_are_refused(recipe):
    there = torch.cuda.device_count() or len(os.sched_getaffinity(0))
    done = run(recipe("adapter"), "--devices", str(there + 1))
    assert done.returncode == EXIT_BAD_INPUT
    assert f"trainer: --devices {there + 1}: this machine has {there} " in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_devices_make_the_adapter_of_one(recipe, tmp_path):
    for name, words in (("one", ()), ("two", ("--devices", "2"))):
        # The last step of an epoch has one pair alone, so that one device has nothing to do.
        done = run(recipe(name, quantize="nf4", batch_size=3, accumulation=1), *words, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["steps"] == 16
    one, two = (load_file(tmp_path / name / ADAPTER_WEIGHTS) for name in ("one", "two"))
    assert one.keys() == two.keys()
    for part, weight in one.items():
        assert torch.allclose(weight, two[part], atol=1e-6), part


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("lost", "code", "said"),
    [
        ("1", EXIT_FAILED, "device 1: its process was killed (SIGKILL); give the same command"),
        pytest.param(
            *("all", EXIT_STOPPED_FOR_NOW, "stopped by SIGTERM after step"), marks=pytest.mark.long
        ),
    ],
)
def test_a_run_whose_device_is_lost_says_so_and_goes_on(recipe, tmp_path, lost, code, said):
    longer = {"epochs": 12, "checkpoint_every_steps": 1}
    path, out = recipe("adapter", **longer), tmp_path / "adapter"
    process = subprocess.Popen(
        fit_command(path, "--devices", "2"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = out / LOG_FILE
    while not (log.is_file() and log.read_text(encoding="utf-8").count('"step"') > SOME):
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    if lost == "all":
        process.send_signal(signal.SIGTERM)
    else:
        os.kill(_process_of(process.pid, lost), signal.SIGKILL)
    _, told = process.communicate(timeout=120)
    assert process.returncode == code, told
    assert told.splitlines()[-1].startswith(f"trainer: {said}")
    assert "Traceback" not in told
    assert (out / CHECKPOINT).is_dir()

    resumed = run(path, "--devices", "2", "--resume", "--json")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["resumed_at_step"] > 0
    whole = run(recipe("whole", **longer))
    assert whole.returncode == 0, whole.stderr
    ours, theirs = (load_file(folder / ADAPTER_WEIGHTS) for folder in (out, tmp_path / "whole"))
    for part, weight in theirs.items():
        assert torch.allclose(weight, ours[part], atol=1e-4), part


def _process_of(parent: int, rank: str) -> int:
    """Return the process for a device, among those that a command has started."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    for child in children:
        if f"RANK={rank}" in Path(f"/proc/{child}/environ").read_text().split("\0"):
            return int(child)
    raise LookupError(rank)
