"""`trainer fit` from recipe to adapter folder."""

import shutil
from dataclasses import replace

import pytest
from huggingface_hub import ModelCard

from shared.corpus import read_json, read_pairs, write_pairs
from shared.dataset.training_images import (
    TRAINING_IMAGES,
    Recogniser,
    TrainingImages,
    read_training_images,
    write_training_images,
)
from shared.errors import InputError
from shared.images.fingerprints import fingerprints
from shared.images.source import ImageFolder
from shared.program.settings import validated
from shared.vqa.adapting.adapter_files import ADAPTER_WEIGHTS
from shared.vqa.loading import load_blip
from shared.vqa.quantization import Quantization
from tests.places import files_that_name
from tests.trainer.fitting.fits import recipe_for, rows, run_fit
from tests.trainer.recipes import fit_settings, write_recipe
from tests.trainer.training.test_tracking import scalars
from trainer.fitting.fit import fit
from trainer.fitting.record import finished_run
from trainer.recipe.recipe import FitRecipe
from trainer.training.checkpoint import sole_run
from trainer.training.run_files import LOCK_FILE


def test_the_adapter_is_one_that_evaluation_loads(finished, tiny_model):
    model = load_blip(str(tiny_model), adapter=finished.adapter, quantization=Quantization.NF4)
    assert model.adapter_sha256
    assert model.peft is not None
    assert (finished.adapter / "tokenizer.json").is_file()
    assert (finished.adapter / "preprocessor_config.json").is_file()


def test_the_card_says_what_it_was_made_of(finished, data):
    card = (finished.adapter / "README.md").read_text(encoding="utf-8")
    assert "| train | 12 | 24 |" in card
    assert "| validation | 4 | 8 |" in card
    assert f"alone: {finished.base_exact_match:.4f}" in card
    assert '"rank": 4' in card
    assert "`nf4`" in card
    [result] = ModelCard(card).data.eval_results
    assert (result.metric_type, result.dataset_split) == ("exact_match", "validation")
    assert result.metric_value == round(finished.exact_match, 6)
    assert str(data) not in card


def test_what_goes_to_others_names_no_place_of_this_machine(finished, data, tiny_model):
    config = read_json(finished.adapter / "adapter_config.json")
    assert config["base_model_name_or_path"] == tiny_model.name
    for place in (data, tiny_model):
        assert not files_that_name(place, finished.adapter)


def test_the_log_has_every_step_and_epoch(finished):
    # 24 pairs in steps of two micro-batches of four.
    assert [row["step"] for row in rows(finished.adapter, "step")] == [1, 2, 3, 4, 5, 6]
    epochs = rows(finished.adapter, "epoch")
    assert [row["epoch"] for row in epochs] == [1, 2]
    assert max(row["exact_match"] for row in epochs) == finished.exact_match
    assert epochs[finished.best_epoch - 1]["exact_match"] == finished.exact_match


def test_tensorboard_has_the_numbers_of_the_log(finished):
    numbers = scalars(finished.adapter / "tensorboard")
    steps = rows(finished.adapter, "step")
    for name in ("loss", "grad_norm", "learning_rate"):
        assert [step for step, _ in numbers[name]] == [row["step"] for row in steps]
        assert [value for _, value in numbers[name]] == pytest.approx([row[name] for row in steps])
    epochs = rows(finished.adapter, "epoch")
    assert numbers["held_out_exact_match"] == [(row["step"], row["exact_match"]) for row in epochs]
    assert all(value > 0.1 for _, value in numbers["peak_memory_gib"])


def test_the_data_with_its_split_stand_beside_the_adapter(finished, data):
    pairs = read_pairs(finished.adapter / "dataset")
    assert {p.id: p.split for p in pairs} == {
        p.id: p.split for p in read_pairs(data / "pairs.jsonl")
    }


def test_whoever_reads_the_card_reads_the_weights(finished):
    folder = finished.adapter
    modes = {path.name: path.stat().st_mode & 0o666 for path in folder.iterdir()}
    assert "adapter_model.safetensors" in modes
    assert set(modes.values()) == {folder.stat().st_mode & 0o666}


def test_no_checkpoint_is_left_of_a_finished_run(finished):
    assert not (finished.adapter / "checkpoint").exists()


def test_a_finished_run_is_not_trained_again(finished, data, tiny_model):
    log = (finished.adapter / "training.jsonl").read_bytes()
    again = fit(recipe_for(tiny_model, data, finished.adapter, quantize="nf4"), resume=True)
    assert again.resumed_at_step == again.steps == finished.steps
    assert again.exact_match == finished.exact_match
    assert (finished.adapter / "training.jsonl").read_bytes() == log


def test_a_finished_adapter_is_never_replaced(finished, data, tiny_model, tmp_path, capsys):
    before = {path: path.stat().st_mtime_ns for path in finished.adapter.rglob("*")}
    settings = fit_settings(tiny_model, data, out=str(finished.adapter), quantize="nf4")
    recipe = write_recipe(tmp_path / "recipe.toml", settings)
    for options, reason in (
        ((), "holds a finished adapter; give another `out` or remove it"),
        (("--set", "seed=5"), "holds a finished adapter; give another `out` or remove it"),
        (("--set", "seed=5", "--resume"), "holds a finished adapter of another recipe"),
    ):
        assert run_fit(recipe, *options) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith(f"trainer: {finished.adapter}: {reason}")
    assert {path: path.stat().st_mtime_ns for path in finished.adapter.rglob("*")} == before


def test_two_runs_do_not_train_in_one_folder(data, tiny_model, tmp_path):
    """As where one is resumed that goes on behind a connection that was lost."""
    recipe = recipe_for(tiny_model, data, tmp_path / "out")
    with sole_run(recipe.out), pytest.raises(InputError, match="another run trains in this folder"):
        fit(recipe, resume=True)
    assert [path.name for path in recipe.out.iterdir()] == [LOCK_FILE]


@pytest.mark.parametrize("resume", [False, True])
def test_an_adapter_of_another_program_is_not_replaced(data, tiny_model, tmp_path, resume):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ADAPTER_WEIGHTS).touch()
    with pytest.raises(InputError, match="is there and holds no run of `trainer fit`"):
        fit(recipe_for(tiny_model, data, tmp_path / "out"), resume=resume)


def test_a_run_is_the_same_from_another_folder(finished, data, tiny_model, tmp_path, monkeypatch):
    (tmp_path / "base").symlink_to(tiny_model)
    monkeypatch.chdir(tmp_path)
    again = fit(recipe_for("base", data, finished.adapter, quantize="nf4"), resume=True)
    assert again.resumed_at_step == finished.steps


def test_the_record_finds_the_images_from_the_adapter(finished, data):
    record = finished_run(finished.adapter)
    assert (finished.adapter / record.images).resolve() == (data / "images").resolve()
    assert (record.quantization, record.steps) == ("nf4", 6)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"epohcs": 3}, "unknown key 'epohcs'; did you mean 'epochs'"),
        ({"lora": {"rnak": 3}}, "unknown key 'lora.rnak'; did you mean 'rank'"),
        ({"lora": {"targets": ["q_proj"]}}, "match no layer"),
        ({"quantize": "int7"}, "quantize: "),
        ({"quantize": "gptq"}, "quantize gptq: no gradient was seen"),
        ({"epochs": 0}, "epochs: "),
        ({"model": "./nowhere"}, "no such model folder"),
        ({"data": "nowhere.csv"}, "nowhere.csv: no such file"),
        ({"images": "nowhere"}, "nowhere: no such images folder"),
        ({"out": __file__}, "test_fit.py is a file; give a folder"),
        ({"out": f"{__file__}/below"}, "test_fit.py is a file; give a folder"),
        ({"lora": 3}, "lora: a table of settings was expected"),
    ],
)
def test_a_wrong_recipe_is_one_line_and_writes_nothing(
    tmp_path, data, tiny_model, capsys, changes, reason
):
    settings = fit_settings(tiny_model, data, **({"out": str(tmp_path / "out")} | changes))
    assert run_fit(write_recipe(tmp_path / "recipe.toml", settings)) == 2
    *before, error = capsys.readouterr().err.strip().splitlines()
    assert reason in error
    assert all(line.startswith("looking for near-identical images") for line in before)
    assert not (tmp_path / "out").exists()


def test_a_recipe_that_is_not_there_is_bad_input(tmp_path, capsys):
    assert run_fit(tmp_path / "none.toml") == 2
    assert "none.toml: no such file" in capsys.readouterr().err


def test_the_adapter_knows_its_training_images(finished, data):
    images = read_training_images(finished.adapter)
    assert (len(images.trained_on), len(images.chosen_by)) == (12, 4)
    trained = Recogniser(images.trained_on)
    prints = fingerprints(ImageFolder(data / "images"), [f"{n:03}.png" for n in range(20)])
    splits = {pair.filename: pair.split for pair in read_pairs(finished.adapter / "dataset")}
    for name, image in prints.items():
        assert trained.knows(image) == (splits[name] == "train")
    text = (finished.adapter / TRAINING_IMAGES).read_bytes()
    assert str(data).encode() not in text
    [source] = images.sources
    manifest = read_json(finished.adapter / "dataset" / "manifest.json")
    assert source["pairs_sha256"] == manifest["pairs_sha256"]
    assert source["split_rule"] == manifest["split_rule"]


def test_an_adapter_on_an_adapted_base_is_not_validated_on_what_the_base_saw(
    tmp_path, tiny_model, data
):
    """The base's own training images are put into the training split."""
    shutil.copytree(tiny_model, tmp_path / "base")
    names = [f"{n:03}.png" for n in range(4, 14)]
    prints = fingerprints(ImageFolder(data / "images"), names)
    write_training_images(TrainingImages(list(prints.values())), tmp_path / "base")
    pairs = [replace(pair, split=None) for pair in read_pairs(data / "pairs.jsonl")]
    write_pairs(pairs, tmp_path / "pairs.jsonl")
    changes = {"images": str(data / "images"), "out": str(tmp_path / "out"), "epochs": 1}
    settings = fit_settings(tmp_path / "base", tmp_path, **changes)
    result = fit(validated(FitRecipe, settings, source="test"), resume=False)
    divided = read_pairs(result.adapter / "dataset")
    assert {pair.split for pair in divided if pair.filename in names} == {"train"}
    assert {pair.split for pair in divided} == {"train", "validation", "test"}
