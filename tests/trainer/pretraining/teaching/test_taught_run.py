"""A run with a teacher goes through its stages, and ends alike however it was stopped."""

from dataclasses import replace

import pytest
import torch

from shared.errors import InputError, StoppedForNow
from shared.program.stopping import StopSignal
from shared.vqa.loading import load_blip
from shared.vqa.quantization import Quantization
from tests.trainer.pretraining.teaching.classifier import tiny_teacher
from tests.trainer.pretraining.test_run import SHAPE, recipe
from tests.trainer.recipes import write_data
from trainer.pretraining.pretrain import make_model, recipe_pairs, require_means
from trainer.pretraining.run import ModelRun
from trainer.pretraining.teaching.stages import Stage, stage_at, steps_of_stage

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


def test_steps_are_counted_anew_in_each_stage(tmp_path, data):
    settings = recipe(data, tmp_path / "out", epochs=1, teaching=TEACHING)
    counted = [steps_of_stage(settings, steps, 3) for steps in range(1, 10)]
    assert counted == [1, 2, 3] * 3
    plain = recipe(data, tmp_path / "out", epochs=3)
    assert [steps_of_stage(plain, steps, 3) for steps in range(1, 10)] == [*range(1, 10)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data):
    run = new_run(data, tmp_path_factory.mktemp("whole") / "out")
    run.start(resume=False)
    run.train()
    return weights_of(run)


class StopAfter(StopSignal):
    """A stop that is asked for after so many steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._left = steps

    @property
    def requested(self) -> bool:
        self._left -= 1
        return self._left <= 0


# In the first stage, between it and the second, in the second, and in the third.
@pytest.mark.parametrize("steps", [1, 3, 4, 7])
def test_a_taught_run_that_was_stopped_ends_as_one_that_was_not(tmp_path, data, whole, steps):
    stopped = new_run(data, tmp_path / "out", StopAfter(steps))
    stopped.start(resume=False)
    with pytest.raises(StoppedForNow):
        stopped.train()
    resumed = new_run(data, tmp_path / "out")
    resumed.start(resume=True)
    assert resumed.step == steps
    resumed.train()
    after = resumed._weights()
    for name, weight in whole.items():
        assert weight.equal(after[name]), name
    resumed.finish()
    # What taught it is not kept.
    kept = load_blip(str(tmp_path / "out"), quantization=Quantization.NONE)
    assert sum(weight.numel() for weight in kept.blip.parameters()) == sum(
        weight.numel() for weight in resumed._model.parameters()
    )


def test_the_follower_begins_as_the_advisor_is(tmp_path, data):
    run = new_run(data, tmp_path / "out")
    lessons = run._lessons
    with torch.no_grad():
        run._average.model.advisor.whole.bias += 1
    for steps in (lessons.steps_per_epoch - 1, lessons.steps_per_epoch):
        lessons.after(steps)
        for pupil in (run._network, run._average.model):
            is_same = pupil.follower.whole.bias.equal(run._average.model.advisor.whole.bias)
            assert is_same is (steps == lessons.steps_per_epoch)


def test_own_answers_are_taken_beside_the_advisor_s_and_further_ones_from_it_alone(tmp_path, data):
    run = new_run(data, tmp_path / "out", advice=0.25)
    lessons, steps = run._lessons, run._course.steps_per_epoch
    asked = lessons.pictures.gallery.questions
    asked[:] = [
        [replace(pair, question=f"{pair.question} {number}") for pair in own]
        for number, own in enumerate(asked)
    ]
    [batch] = lessons.micro_batches(2 * steps)
    given = len(batch.advised.asked.texts)
    assert 0 < given < len(batch.share_B)
    assert {float(share) for share in batch.share_B[:given]} <= {0.25, 0.0}
    assert {float(share) for share in batch.share_B[given:]} == {1.0}
    torch.testing.assert_close(batch.first_BV.sum(1), torch.ones(len(batch.share_B)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"texts_anew": True}, "texts_anew keeps the tower of start_from; give that too"),
        ({"patches_kept": 0.5}, "patches_kept hides what a teacher shows"),
        ({"shape": SHAPE | {"heads": 3}}, "width 32 is no multiple of heads, 3"),
        ({"shape": SHAPE | {"patch_size": 12}}, "image_size 32 is no multiple of patch_size, 12"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(tmp_path, data, changes, said):
    with pytest.raises(InputError, match=said):
        recipe(data, tmp_path / "out", **({"teaching": TEACHING} | changes))


def test_a_teacher_that_is_missing_is_told_before_anything_is_read(tmp_path, data):
    settings = recipe(data, tmp_path / "out", teaching=TEACHING)
    for refused in (lambda: require_means(settings), lambda: make_model(settings, resume=False)):
        with pytest.raises(InputError, match="tiny: no such teacher"):
            refused()
