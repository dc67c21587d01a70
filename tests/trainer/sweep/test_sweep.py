"""`trainer sweep` with real Ray Tune, over a real small BLIP."""

import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from shared.program.cli import run_program
from shared.program.settings import load_settings
from shared.vqa.inputs.instruction import trained_prompt
from shared.vqa.loading import load_blip
from shared.vqa.quantization import Quantization
from tests.trainer.learners.chat.models import trainable
from tests.trainer.recipes import fit_settings, write_data, write_recipe
from trainer.__main__ import app
from trainer.fitting.fit import fit
from trainer.recipe.recipe import FitRecipe
from trainer.sweep.space import trials

pytest.importorskip("ray.tune")

IDLE_RATE = 1e-12
"""So low a learning rate changes no answer."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


def recipe_file(folder: Path, base, data, sweep, **changes) -> Path:
    settings = fit_settings(base, data, out=str(folder / "sweep"), track=[], **changes)
    return write_recipe(folder / "recipe.toml", {**settings, "sweep": sweep})


def run_sweep(recipe, *options) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "trainer", ["sweep", str(recipe), *options])
    return leaving.value.code


def training_log(folder) -> bytes:
    return (folder / "training.jsonl").read_bytes()


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(300)
def test_a_chat_model_is_swept_like_any_other(tmp_path, data, capfd):
    pytest.importorskip("torchvision", reason="the extra `model` brings torchvision")
    pytest.importorskip("num2words", reason="the extra `model` brings num2words")
    told = {"epochs": 1, "prompt": "{question} Short!", "lora": {"rank": 2, "targets": "auto"}}
    space = {"targets": ["auto", "all-linear"], "concurrent": 2}
    recipe = recipe_file(tmp_path, trainable("smolvlm"), data, space, **told)
    assert run_sweep(recipe, "--json") == 0
    trained = json.loads(capfd.readouterr().out)["trials"]
    assert {entry["state"] for entry in trained} == {"finished"}
    adapters = {entry["targets"]: tmp_path / "sweep" / entry["folder"] for entry in trained}
    assert {trained_prompt(adapter) for adapter in adapters.values()} == {"{question} Short!"}
    # The vision tower is trained as well.
    sizes = {name: weights_bytes(adapter) for name, adapter in adapters.items()}
    assert sizes["all-linear"] > 2 * sizes["auto"]


def weights_bytes(adapter: Path) -> int:
    return (adapter / "adapter_model.safetensors").stat().st_size


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(600)
def test_a_sweep_that_was_killed_goes_on_and_says_what_mattered(tmp_path, data, tiny_model, capfd):
    space = {"rank": [2, 4], "learning_rate": [1e-2, IDLE_RATE], "grace_epochs": 6}
    recipe = recipe_file(tmp_path, tiny_model, data, space, epochs=6, checkpoint_every_steps=1)
    out = tmp_path / "sweep"
    command = [sys.executable, "-m", "trainer", "sweep", str(recipe)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        # One trial is done, and the next one has begun.
        while not len(begun := list(out.glob("trials/*/checkpoint"))) or not (
            done := list(out.glob("trials/*/run.json"))
        ):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.1)
        process.kill()
    assert process.returncode == -9
    [finished] = [path.parent for path in done]
    [cut_off] = {path.parent for path in begun} - {finished}
    before = training_log(finished)

    assert run_sweep(recipe, "--json") == 0
    findings = json.loads(capfd.readouterr().out)
    assert training_log(finished) == before
    names = {trial.name for trial in trials(load_settings(FitRecipe, recipe))}
    assert {Path(entry["folder"]).name for entry in findings["trials"]} == names
    assert {entry["state"] for entry in findings["trials"]} == {"finished"}
    # Each step once: those before the kill are not trained again.
    steps = [json.loads(line) for line in training_log(cut_off).splitlines()]
    assert [row["step"] for row in steps if row["event"] == "step"] == list(range(1, 19))

    by_setting = {entry["setting"]: entry for entry in findings["effects"]}
    idle = [entry for entry in findings["trials"] if entry["learning_rate"] == IDLE_RATE]
    assert {entry["exact_match"] for entry in idle} == {findings["base_exact_match"]}
    assert findings["best"]["learning_rate"] == 1e-2
    assert findings["best"]["exact_match"] > findings["base_exact_match"]
    assert by_setting["learning_rate"]["size"] > by_setting["rank"]["size"] >= 0
    ET.parse(out / "sweep.svg")
    assert len((out / "sweep.csv").read_text(encoding="utf-8").splitlines()) == 5

    # The best one's folder is an adapter, and its command is the very same run.
    best = out / findings["best"]["folder"]
    assert load_blip(str(tiny_model), adapter=best, quantization=Quantization.NONE).adapter_sha256
    words = shlex.split(findings["command"])
    settings = load_settings(FitRecipe, recipe, [*words[4::2], f"out={best}"])
    assert fit(settings, resume=True).resumed_at_step == 18

    # Given once more there is nothing to train, and so no Ray.
    assert run_sweep(recipe) == 0
    printed = capfd.readouterr().out
    assert f"base alone: exact match {findings['base_exact_match']:.4f}" in printed
    assert "learning_rate moves the mean by" in printed


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(600)
def test_bad_trials_are_stopped_early_and_failures_named(
    tmp_path, data, tiny_model, capfd, monkeypatch
):
    monkeypatch.setattr("shared.program.reporting.progress.LINE_INTERVAL_S", 0.0)
    space = {"learning_rate": [1e-2, IDLE_RATE, 1e30], "grace_epochs": 4, "reduction": 2}
    recipe = recipe_file(tmp_path, tiny_model, data, space, epochs=6)
    assert run_sweep(recipe, "--json") == 0
    printed = capfd.readouterr()
    findings = json.loads(printed.out)
    assert re.search(r"trials: [0-2]/3 in .*epoch 1: exact match 0\.", printed.err)
    good, idle, diverged = findings["trials"]
    assert (good["state"], good["epochs"]) == ("finished", 6)
    assert idle["state"] == "stopped early"
    assert idle["epochs"] == 4
    assert diverged["state"] == "failed"
    assert "lower learning_rate" in diverged["reason"]
    assert findings["best"]["learning_rate"] == 1e-2
    cards = {
        name: (tmp_path / "sweep" / trial["folder"] / "README.md").read_text(encoding="utf-8")
        for name, trial in (("good", good), ("idle", idle))
    }
    assert "Not trained to its end" not in cards["good"]
    assert "Not trained to its end; epochs still to come: 2." in cards["idle"]


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(600)
def test_a_signal_stops_the_sweep_and_says_how_to_go_on(tmp_path, data, tiny_model):
    recipe = recipe_file(tmp_path, tiny_model, data, {"rank": [2, 4]}, epochs=200)
    command = [sys.executable, "-m", "trainer", "sweep", str(recipe)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not list((tmp_path / "sweep").glob("trials/*/checkpoint")):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.1)
        process.terminate()
        error = process.stderr.read().strip().splitlines()[-1]
    assert process.returncode == 75
    assert "stopped by SIGTERM with 0 of 2 trials done; give the same command to go on" in error


@pytest.mark.parametrize(
    ("sweep", "changes", "reason"),
    [
        ({}, {}, "varies nothing"),
        ({"targets": [["query"], ["q_proj"]]}, {}, "lora.targets ['q_proj'] match no layer"),
        ({"rank": [2, 4]}, {"images": "nowhere"}, "no such images folder"),
    ],
)
def test_a_wrong_sweep_is_one_line_and_writes_nothing(
    tmp_path, data, tiny_model, capsys, sweep, changes, reason
):
    recipe = recipe_file(tmp_path, tiny_model, data, sweep, **changes)
    assert run_sweep(recipe) == 2
    assert reason in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / "sweep").exists()


def test_a_folder_with_something_else_in_it_is_refused(tmp_path, data, tiny_model, capsys):
    recipe = recipe_file(tmp_path, tiny_model, data, {"rank": [2, 4]})
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "sweep.json").write_text('{"recipe_sha256": "another"}')
    assert run_sweep(recipe) == 2
    assert "holds a sweep of another recipe" in capsys.readouterr().err
    (tmp_path / "sweep" / "sweep.json").rename(tmp_path / "sweep" / "notes.json")
    assert run_sweep(recipe) == 2
    assert "is there and holds no sweep" in capsys.readouterr().err
