"""A run from scratch that was stopped goes on and ends as if it had not been."""

import pytest
from safetensors.torch import load_file

from shared.corpus import read_json
from shared.errors import InputError, StoppedForNow
from shared.program.settings import validated
from shared.program.stopping import StopSignal
from tests.chaos.befalling import left_in
from tests.trainer.recipes import write_data
from trainer.pretraining.pretrain import make_model, recipe_pairs
from trainer.pretraining.recipe import PretrainRecipe
from trainer.pretraining.run import ModelRun

SHAPE = {
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


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_data(folder, 20)
    return folder


def recipe(data, out, **changes) -> PretrainRecipe:
    settings = {
        "data": str(data / "pairs.jsonl"),
        "images": str(data / "images"),
        "out": str(out),
        "epochs": 2,
        "images_per_batch": 4,
        "evaluate_every_epochs": 1,
        "shape": SHAPE,
    }
    return validated(PretrainRecipe, settings | changes, source="test")


def stopped(settings: PretrainRecipe) -> None:
    stop = StopSignal()
    stop.request("stopped by SIGTERM")
    with pytest.raises(StoppedForNow, match=r"SIGTERM after step 1, .* --resume to go on"):
        make_model(settings, resume=False, stop=stop)


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path, data):
    whole = make_model(recipe(data, tmp_path / "whole"), resume=False)
    settings = recipe(data, tmp_path / "stopped")
    # As a run leaves it that is killed while it saves for the first time.
    (settings.out / ".checkpoint.0a1b2c3d.part").mkdir(parents=True)
    stopped(settings)
    assert {path.name for path in settings.out.iterdir()} == {"checkpoint", "training.lock"}
    # As one that is killed while it puts the model into its place.
    settings.out.rename(tmp_path / ".stopped.old")
    resumed = make_model(settings, resume=True)
    assert not (tmp_path / ".stopped.old").exists()
    assert not (settings.out / "checkpoint").exists()
    assert resumed.exact_match == whole.exact_match
    weights = [load_file(folder / "model.safetensors") for folder in (whole.folder, resumed.folder)]
    assert weights[0].keys() == weights[1].keys()
    for name, weight in weights[0].items():
        assert weight.equal(weights[1][name]), name


def trained(data, out) -> ModelRun:
    settings = recipe(data, out)
    run = ModelRun(settings, recipe_pairs(settings), fingerprint="", stop=StopSignal())
    run.start(resume=True)
    run.train()
    return run


def test_a_run_that_had_nothing_left_to_train_makes_the_same_files(tmp_path, data):
    """As where it was killed after its last step: a tokenizer saves how it was used last."""
    trained(data, tmp_path / "whole").finish()
    trained(data, tmp_path / "again")
    trained(data, tmp_path / "again").finish()
    assert left_in(tmp_path / "again", ()) == left_in(tmp_path / "whole", ())
    tokenizer = read_json(tmp_path / "whole" / "tokenizer.json")
    assert (tokenizer["truncation"], tokenizer["padding"]) == (None, None)


def test_a_run_that_was_stopped_is_not_forgotten_by_mistake(tmp_path, data):
    settings = recipe(data, tmp_path / "stopped")
    stopped(settings)
    with pytest.raises(InputError, match="stands at step 1; give --resume"):
        make_model(settings, resume=False)
    with pytest.raises(InputError, match="another recipe or other data"):
        make_model(settings.model_copy(update={"seed": 5}), resume=True)
