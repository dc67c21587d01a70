"""A run with a teacher goes through its stages, and ends alike however it was stopped."""

import pytest
import torch

from shared.errors import StoppedForNow
from shared.program.stopping import StopSignal
from shared.vqa.loading import load_blip
from shared.vqa.quantization import Quantization
from tests.trainer.pretraining.teaching.classifier import tiny_teacher
from tests.trainer.pretraining.test_run import recipe
from tests.trainer.recipes import write_data
from trainer.pretraining.pretrain import recipe_pairs
from trainer.pretraining.run import ModelRun
from trainer.pretraining.teaching.stages import Stage, stage_at

TEACHING = {
    "teacher": "tiny",
    "advising_epochs": 1,
    "seeing_epochs": 1,
    "further_questions": 1,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_data(folder, 20)
    return folder


def new_run(data, out, stop=None, **teaching) -> ModelRun:
    settings = recipe(data, out, epochs=1, muon_times=2.0, teaching=TEACHING | teaching)
    pairs = recipe_pairs(settings)
    return ModelRun(
        settings, pairs, fingerprint="", stop=stop or StopSignal(), teacher=tiny_teacher()
    )


def weights_of(run: ModelRun) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in run._weights().items()}


def changed(before, after) -> set[str]:
    moved = [name for name, weight in after.items() if not weight.equal(before[name])]
    parts = (name.removeprefix("model.").split(".") for name in moved if name[:6] == "model.")
    return {".".join(part[:2]) if part[0] == "model" else part[0] for part in parts}


def test_each_stage_trains_its_own_part(tmp_path, data):
    run = new_run(data, tmp_path / "out")
    run.start(resume=False)
    steps = run._course.steps_per_epoch
    course, seen = run._course, {}
    for stage in Stage:
        before = weights_of(run)
        run.step = list(Stage).index(stage) * steps
        batch = course.lessons.micro_batches(run.step)[0]
        assert batch.loss_terms > 0
        batch.loss_sum().backward()
        course.optimizer.step()
        course.optimizer.zero_grad()
        seen[stage] = changed(before, weights_of(run))
        assert stage_at(run._recipe, run.step // steps) is stage
    seeing = {"model.vision_model", "follower", "telling"}
    assert seen == {
        Stage.ADVISING: {"reader", "advisor"},
        Stage.SEEING: seeing,
        Stage.ANSWERING: {*seeing, "model.text_encoder", "model.text_decoder"},
    }


def test_a_taught_run_that_was_stopped_ends_as_one_that_was_not(tmp_path, data):
    whole = new_run(data, tmp_path / "whole")
    whole.start(resume=False)
    whole.train()
    stop = StopSignal()
    stop.request("stopped")
    stopped = new_run(data, tmp_path / "stopped", stop)
    stopped.start(resume=False)
    with pytest.raises(StoppedForNow):
        stopped.train()
    resumed = new_run(data, tmp_path / "stopped")
    resumed.start(resume=True)
    assert resumed.step == 1
    resumed.train()
    after = resumed._weights()
    for name, weight in whole._weights().items():
        assert weight.equal(after[name]), name
    resumed.finish()
    # What taught it is not kept.
    kept = load_blip(str(tmp_path / "stopped"), quantization=Quantization.NONE)
    assert sum(weight.numel() for weight in kept.blip.parameters()) == sum(
        weight.numel() for weight in resumed._model.parameters()
    )
