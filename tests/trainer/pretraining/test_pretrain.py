"""`trainer pretrain` makes a model folder that everything else loads."""

import json
import subprocess
import sys

import pytest
from huggingface_hub import ModelCard

from shared.corpus import read_pairs
from shared.dataset.training_images import read_training_images
from shared.images.decoding import open_image
from shared.program.cli import run_program
from shared.vqa.blip.inference import answer_questions, remember_images
from shared.vqa.loading import load_blip
from shared.vqa.quantization import Quantization
from tests.trainer.recipes import write_data, write_recipe
from trainer.__main__ import app

# The model is made once, in one worker of pytest-xdist.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pretrain")]

SHAPE = {
    "width": 64,
    "heads": 2,
    "vision_layers": 2,
    "question_layers": 1,
    "image_size": 32,
    "patch_size": 8,
    "vocabulary": 120,
    "max_text_tokens": 32,
    "dropout": 0.0,
}


def recipe(folder, **changes):
    settings = {
        "data": str(folder / "pairs.jsonl"),
        "images": str(folder / "images"),
        "out": str(folder / "made"),
        "dataset": str(folder / "made-data"),
        "title": "a small model",
        "credit": "Pictures drawn by a test.",
        "epochs": 30,
        "images_per_batch": 6,
        "evaluate_every_epochs": 15,
        "average_decay": 0.5,
        "label_smoothing": 0.0,
        "shape": SHAPE,
    } | changes
    return write_recipe(folder / "recipe.toml", settings)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What the program says about a model that it made, and the folder it worked in."""
    folder = tmp_path_factory.mktemp("pretrain")
    write_data(folder, 40)
    command = [sys.executable, "-m", "trainer", "pretrain", str(recipe(folder)), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), folder


def test_the_model_loads_and_has_learned_something(made):
    result, folder = made
    model = load_blip(str(folder / "made"), quantization=Quantization.NONE)
    pairs = [p for p in read_pairs(folder / "made-data") if p.split == "train"]
    names = sorted({pair.filename for pair in pairs})
    memory = remember_images(model, [open_image(folder / "images" / name) for name in names])
    answers = answer_questions(
        model,
        memory,
        [names.index(pair.filename) for pair in pairs],
        [pair.question for pair in pairs],
    )
    right = sum(a.text == p.answer for a, p in zip(answers, pairs, strict=True)) / len(pairs)
    # Three colours and three shapes: a third by chance.
    assert right > 0.5
    assert result["parameters"] == sum(p.numel() for p in model.blip.parameters())


def test_its_images_are_recorded_as_a_base_s(made):
    images = read_training_images(made[1] / "made")
    assert images.pretrained_on
    assert not images.trained_on
    assert not images.chosen_by


def test_weights_are_kept_in_16_bit_and_answer_in_4(made):
    result, folder = made
    weights = (folder / "made" / "model.safetensors").stat().st_size
    assert weights < 2.2 * result["parameters"]
    assert 0 <= result["exact_match_nf4"] <= 1


def test_the_card_says_how_good_it_is_beside_the_prior(made):
    result, folder = made
    card = (folder / "made" / "README.md").read_text(encoding="utf-8")
    assert card.count("\n# a small model\n") == 1
    [figure] = ModelCard(card).data.eval_results
    assert (figure.dataset_split, figure.metric_value) == ("test", round(result["exact_match"], 6))
    card = " ".join(card.split())
    assert f"| this model | {result['exact_match']:.4f} |" in card
    assert f"| {result['prior_exact_match']:.4f} |" in card
    assert "24 images" in card
    assert "Pictures drawn by a test." in card
    assert str(folder) not in card


def test_measuring_again_gives_the_same_figures(made, capsys):
    result, folder = made
    arguments = ["pretrain", str(folder / "recipe.toml"), "--describe-only", "--json"]
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "trainer", arguments)
    assert leaving.value.code == 0
    assert json.loads(capsys.readouterr().out) == result


def test_a_folder_that_holds_no_model_is_not_replaced(tmp_path, capsys):
    write_data(tmp_path, 10)
    arguments = ["pretrain", str(recipe(tmp_path)), "--set", f"out={tmp_path / 'images'}"]
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "trainer", arguments)
    assert leaving.value.code == 2
    assert "is there and holds no model" in capsys.readouterr().err
    assert any((tmp_path / "images").iterdir())


def test_a_finished_model_is_not_replaced(made, capsys):
    folder = made[1]
    before = (folder / "made" / "model.safetensors").stat().st_mtime_ns
    for options in ((), ("--resume",)):
        with pytest.raises(SystemExit) as leaving:
            run_program(app, "trainer", ["pretrain", str(folder / "recipe.toml"), *options])
        assert leaving.value.code == 2
        assert "holds a finished model; give another `out` or remove" in capsys.readouterr().err
    assert (folder / "made" / "model.safetensors").stat().st_mtime_ns == before


def test_training_that_diverges_leaves_no_model(tmp_path, capsys):
    write_data(tmp_path, 10)
    arguments = ["pretrain", str(recipe(tmp_path, learning_rate=1e30))]
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "trainer", arguments)
    assert leaving.value.code == 1
    assert "lower learning_rate" in capsys.readouterr().err
    # The state before it is kept, and nothing else.
    assert {path.name for path in (tmp_path / "made").iterdir()} == {"checkpoint", "training.lock"}
