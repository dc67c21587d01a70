"""`trainer merge`: plain weights that answer as base and adapter did."""

import json
import shutil

import pytest
import torch
from huggingface_hub import ModelCard
from PIL import Image
from transformers import BlipForQuestionAnswering, BlipProcessor

from shared.dataset.training_images import (
    TRAINING_IMAGES,
    TrainingImages,
    read_training_images,
    write_training_images,
)
from shared.errors import InputError
from shared.images.fingerprints import fingerprints
from shared.images.source import ImageFolder
from shared.program.cli import run_program
from shared.program.settings import validated
from shared.vqa.families import load_answerer
from shared.vqa.loading import load_blip
from shared.vqa.quantization import Quantization
from shared.vqa.trained_on import known_training
from tests.models import load_float
from tests.places import files_that_name
from tests.trainer.losses import loss_of
from tests.trainer.recipes import fit_settings, write_data
from trainer.__main__ import app
from trainer.fitting.adapter import lora_layers
from trainer.fitting.fit import fit
from trainer.merging.merge import ADAPTER, BASE, MERGED, MERGED_NF4, merge
from trainer.recipe.recipe import FitRecipe

RUN = {"epochs": 1, "warmup_min_steps": 0, "learning_rate": 5e-3, "accumulation": 1}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


def trained(base, data, out, **changes):
    settings = fit_settings(base, data, out=str(out), **(RUN | changes))
    return fit(validated(FitRecipe, settings, source="test"), resume=False).adapter


@pytest.fixture(scope="module")
def adapter(tmp_path_factory, data, tiny_model):
    return trained(tiny_model, data, tmp_path_factory.mktemp("run") / "adapter")


def run_merge(*words) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "trainer", ["merge", *map(str, words)])
    return leaving.value.code


def test_the_merged_weights_are_the_base_and_the_update_in_16_bits(
    tmp_path, adapter, tiny_model, capsys
):
    assert run_merge(adapter, "--out", tmp_path / "merged", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert list(printed["exact_match"]) == [BASE, ADAPTER, MERGED, MERGED_NF4]
    assert printed["difference"] == printed["exact_match"][MERGED] - printed["exact_match"][ADAPTER]
    assert (printed["split"], printed["pairs"]) == ("test", 8)
    # The adapter was trained on the base as it is, so only float16 lies between the two.
    assert abs(printed["difference"]) <= 1 / 8

    plain = BlipForQuestionAnswering.from_pretrained(tmp_path / "merged")
    assert isinstance(BlipProcessor.from_pretrained(tmp_path / "merged"), BlipProcessor)
    assert not any("lora" in name for name, _ in plain.named_parameters())
    with_adapter = load_float(tiny_model, adapter)
    for name, layer in lora_layers(with_adapter.peft).items():
        wanted = layer.get_base_layer().weight + layer.get_delta_weight("default")
        merged_weight = plain.get_submodule(name).weight
        assert merged_weight.dtype == torch.float16
        assert torch.allclose(merged_weight.float(), wanted, rtol=2**-10, atol=1e-6), name
    merged = load_blip(str(tmp_path / "merged"), quantization=Quantization.NONE)
    assert float(loss_of(merged)) == pytest.approx(float(loss_of(with_adapter)), rel=1e-2)
    card = (tmp_path / "merged" / "README.md").read_text(encoding="utf-8")
    assert f"| {MERGED} | {printed['exact_match'][MERGED]:.4f} |" in card
    [figure] = ModelCard(card).data.eval_results
    assert figure.metric_value == round(printed["exact_match"][MERGED], 6)
    assert not files_that_name(tiny_model, tmp_path / "merged")
    # What the adapter was trained on goes with the weights.
    carried, own = (read_training_images(f) for f in (tmp_path / "merged", adapter))
    assert len(carried.trained_on) == 12
    assert {image.digest for image in carried.trained_on} == {k.digest for k in own.trained_on}


def test_an_adapter_that_makes_up_for_4_bits_is_merged_into_what_they_left(
    tmp_path, data, tiny_model
):
    lora = {"rank": 32, "alpha": 32, "targets": ["query", "key", "value"], "start": "loftq"}
    adapter = trained(tiny_model, data, tmp_path / "run", quantize="nf4", lora=lora)
    merge(adapter, tmp_path / "merged")
    held = load_blip(str(tiny_model), adapter=adapter, quantization=Quantization.NF4)
    plain = BlipForQuestionAnswering.from_pretrained(tmp_path / "merged")
    into_exact = load_float(tiny_model, adapter)
    for name, layer in lora_layers(into_exact.peft).items():
        nf4 = lora_layers(held.peft)[name]
        wanted = nf4.get_delta_weight("default") + _dequantized(nf4)
        merged_weight = plain.get_submodule(name).weight.float()
        naive = layer.get_base_layer().weight + layer.get_delta_weight("default")
        assert torch.dist(merged_weight, wanted) < 0.01 * torch.dist(naive, wanted), name


def _dequantized(layer) -> torch.Tensor:
    """Multiply the identity, so that another way than ours gives the weights."""
    base = layer.get_base_layer()
    identity = torch.eye(base.in_features)
    return (base(identity) - (0 if base.bias is None else base.bias)).T


def test_what_cannot_be_merged_is_one_line_and_writes_nothing(
    tmp_path, adapter, tiny_adapter, capsys
):
    (tmp_path / "there").mkdir()
    cases = {
        "is there already": (adapter, "--out", tmp_path / "there"),
        "run.json is missing": (tiny_adapter, "--out", tmp_path / "out"),
        "not an adapter folder": (tmp_path, "--out", tmp_path / "out"),
        "say with --images where": (adapter, "--out", tmp_path / "out", "--images", tmp_path),
    }
    for reason, words in cases.items():
        assert run_merge(*words) == 2
        error = capsys.readouterr().err.strip()
        assert reason in error
        assert "\n" not in error
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def answers_to(answerer, images, questions):
    with Image.open(next(images.glob("*.png"))) as image:
        memory = answerer.remember([answerer.prepare(image.convert("RGB"))])
    return answerer.answer(memory, [0] * len(questions), questions)


def test_questions_are_cut_alike_wherever_the_adapter_answers(tmp_path, data, tiny_model, adapter):
    # Six words and two special tokens.
    cut = trained(tiny_model, data, tmp_path / "cut", max_question_tokens=8)
    whole = "how many sides does the large shape in the middle of the picture have"
    short = " ".join(whole.split()[:6])
    merge(cut, tmp_path / "merged")
    answerers = [
        load_answerer(str(tiny_model), adapter=cut, quantization=Quantization.NONE),
        load_answerer(str(tmp_path / "merged"), quantization=Quantization.NONE),
    ]
    for answerer in answerers:
        assert answerer.model.max_question_tokens == 8
        first, second = answers_to(answerer, data / "images", [whole, short])
        assert first == second, "cut after six words"
    base = load_answerer(str(tiny_model), quantization=Quantization.NONE)
    first, second = answers_to(base, data / "images", [whole, short])
    assert first != second
    with pytest.raises(InputError, match="cut at 8 and at 64 tokens"):
        load_answerer(str(tiny_model), adapters={"one": cut, "other": adapter})


def test_merged_weights_keep_apart_what_their_base_was_pretrained_on(tmp_path, data, tiny_model):
    base = tmp_path / "base"
    shutil.copytree(tiny_model, base)
    names = [path.name for path in sorted((data / "images").iterdir())]
    prints = [*fingerprints(ImageFolder(data / "images"), names).values()]
    write_training_images(TrainingImages(pretrained_on=prints), base)
    adapter = trained(base, data, tmp_path / "run")
    merge(adapter, tmp_path / "merged")
    carried = read_training_images(tmp_path / "merged")
    assert len(carried.trained_on) == 12
    assert len(carried.pretrained_on) == len(prints)
    assert not known_training(str(tmp_path / "merged")).unknown


def test_a_part_of_what_was_trained_on_is_not_taken_for_the_whole(tmp_path, adapter, capsys):
    shutil.copytree(adapter, tmp_path / "old")
    (tmp_path / "old" / TRAINING_IMAGES).unlink()
    record = json.loads((tmp_path / "old" / "run.json").read_text())
    images = (adapter / record["images"]).resolve()
    assert run_merge(tmp_path / "old", "--out", tmp_path / "merged", "--images", images) == 0
    assert not (tmp_path / "merged" / TRAINING_IMAGES).exists()
    assert "training_images_unknown" in capsys.readouterr().err
