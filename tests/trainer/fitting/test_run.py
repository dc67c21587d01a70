"""A run that was killed, stopped or diverged goes on, or says why not."""

import json
import shlex
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from shared.corpus import read_pairs
from shared.errors import InputError, StoppedForNow
from shared.program.settings import validated
from shared.program.stopping import StopSignal
from shared.vqa.adapting.adapter_files import ADAPTER_WEIGHTS
from tests.models import learner_of_blip, load_float
from tests.trainer.fitting.fits import recipe_for, rows, run_fit
from tests.trainer.recipes import fit_settings, write_recipe
from trainer.data.dataset import load_pairs
from trainer.data.features import RunFeatures
from trainer.fitting.adapter import add_adapter
from trainer.fitting.fit import fit
from trainer.fitting.preparation import Preparation
from trainer.fitting.run import AdapterRun
from trainer.recipe.recipe import FitRecipe
from trainer.training.loop import NonFiniteGradient
from trainer.training.memory import OutOfMemory

LONG = {"epochs": 6, "checkpoint_every_steps": 2}


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_and_ends_as_if_it_had_not_been(
    tmp_path, data, tiny_model, capsys
):
    whole = fit_settings(tiny_model, data, out=str(tmp_path / "whole"), **LONG)
    fit(validated(FitRecipe, whole, source="test"), resume=False)

    out = tmp_path / "killed"
    recipe = write_recipe(
        tmp_path / "recipe.toml", fit_settings(tiny_model, data, out=str(out), **LONG)
    )
    command = [sys.executable, "-m", "trainer", "fit", str(recipe)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if "epoch_done" in line and "epoch=2" in line:
                process.kill()
                break
    assert process.returncode == -9
    assert (out / "checkpoint").is_dir()
    assert len(rows(out, "epoch")) < LONG["epochs"]

    capsys.readouterr()
    assert run_fit(recipe, "--resume", "--json") == 0
    printed = capsys.readouterr()
    resumed_at = json.loads(printed.out)["resumed_at_step"]
    assert 3 <= resumed_at < 18
    assert "resumed" in printed.err
    assert f"checkpoint={out / 'checkpoint'} step={resumed_at}" in printed.err
    for event in ("step", "epoch"):
        assert rows(out, event) == rows(tmp_path / "whole", event)
    adapters = [load_file(tmp_path / name / ADAPTER_WEIGHTS) for name in ("whole", "killed")]
    assert adapters[0].keys() == adapters[1].keys()
    for name, weight in adapters[0].items():
        assert weight.equal(adapters[1][name]), name


def test_a_gradient_that_is_not_finite_stops_the_run_and_keeps_its_state(
    tmp_path, data, tiny_model
):
    settings = fit_settings(tiny_model, data, out=str(tmp_path / "out"), learning_rate=1e30)
    with pytest.raises(NonFiniteGradient, match=r"step 2: .* lower learning_rate") as stopped:
        fit(validated(FitRecipe, settings, source="test"), resume=False)
    assert str(tmp_path / "out" / "checkpoint") in str(stopped.value)
    state = json.loads((tmp_path / "out" / "checkpoint" / "state.json").read_text())
    assert state["step"] == len(rows(tmp_path / "out", "step"))
    assert not (tmp_path / "out" / ADAPTER_WEIGHTS).exists()


def stopped_run(base, data, out) -> None:
    stop = StopSignal()
    stop.request("stopped by SIGTERM")
    with pytest.raises(StoppedForNow, match=r"SIGTERM after step 1, .* --resume to go on"):
        fit(recipe_for(base, data, out), resume=False, stop=stop)


def test_a_run_that_was_asked_to_stop_saves_its_step_and_goes_on(tmp_path, data, tiny_model):
    # As a run leaves it that is killed before all else.
    (tmp_path / "out" / ".dataset.0a1b2c3d.part").mkdir(parents=True)
    stopped_run(tiny_model, data, tmp_path / "out")
    resumed = fit(recipe_for(tiny_model, data, tmp_path / "out"), resume=True)
    assert (resumed.resumed_at_step, resumed.steps) == (1, 6)
    whole = fit(recipe_for(tiny_model, data, tmp_path / "whole"), resume=False)
    assert rows(tmp_path / "out", "step") == rows(tmp_path / "whole", "step")
    assert whole.exact_match == resumed.exact_match


def test_an_unfinished_run_is_not_forgotten_by_mistake(tmp_path, data, tiny_model):
    stopped_run(tiny_model, data, tmp_path / "out")
    with pytest.raises(InputError, match="stands at step 1; give --resume"):
        fit(recipe_for(tiny_model, data, tmp_path / "out"), resume=False)


def test_a_run_that_gets_no_better_stops_early_and_keeps_its_best(tmp_path, data, tiny_model):
    # So low a rate changes no answer, so that the first epoch stays the best one.
    settings = {"epochs": 9, "patience_epochs": 2, "learning_rate": 1e-12}
    result = fit(recipe_for(tiny_model, data, tmp_path / "out", **settings), resume=False)
    assert result.best_epoch == 1
    assert [row["epoch"] for row in rows(tmp_path / "out", "epoch")] == [1, 2, 3]
    assert result.steps == 9


class Vast:
    """Features of a size that no machine has."""

    def of(self, filenames):
        return [torch.empty(2**50, 64) for _ in filenames]


def test_answers_that_do_not_fit_into_memory_name_the_setting(tmp_path, data, tiny_model):
    recipe = recipe_for(tiny_model, data, tmp_path / "out")
    learner = learner_of_blip(load_float(tiny_model))
    pairs = load_pairs(recipe.data, recipe.images, recipe.split)
    prepared = Preparation(
        add_adapter(learner, recipe.lora), pairs.train, RunFeatures(Vast(), Vast())
    )
    run = AdapterRun(recipe, pairs, prepared, fingerprint="", stop=StopSignal())
    with pytest.raises(OutOfMemory, match=r"lower evaluation_batch_size \(now 16\)"):
        run.start(resume=False)


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path, data, tiny_model, capsys):
    out = tmp_path / "out"
    diverging = fit_settings(tiny_model, data, out=str(out), learning_rate=1e30)
    assert run_fit(write_recipe(tmp_path / "a.toml", diverging)) == 1
    for options in ((), ("--resume",)):
        assert run_fit(tmp_path / "a.toml", *options, "--set", "seed=5") == 2
        assert "another recipe or other data" in capsys.readouterr().err


def test_a_dry_run_trains_nothing_and_says_how_many_steps_it_would(
    tmp_path, data, tiny_model, capsys
):
    settings = fit_settings(tiny_model, data, out="elsewhere")
    recipe = write_recipe(tmp_path / "recipe.toml", settings)
    out = tmp_path / "my adapter"
    words = ("--dry-run", "--out", str(out), "--set", "epochs=3", "--resume")
    assert run_fit(recipe, *words) == 0
    told, err = capsys.readouterr()
    per_epoch = rows_of_epoch(data)
    assert f"3 epochs of {per_epoch} steps, {3 * per_epoch} in all" in told
    assert told.splitlines()[-1] == "dry run: nothing was trained or written"
    assert not out.exists()
    assert err.splitlines()[-1].startswith("next: trainer fit ")
    assert shlex.split(err.splitlines()[-1])[-2:] == [f'out="{out}"', "--resume"]


def rows_of_epoch(data):
    trained = [pair for pair in read_pairs(data / "pairs.jsonl") if pair.split == "train"]
    return -(-len(trained) // 8)
