"""`trainer fit`, `merge` and `fuse` of chat models, from recipe to a scored adapter."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from peft import PeftModel

pytest.importorskip("torchvision", reason="the extra `model` brings torchvision")
pytest.importorskip("num2words", reason="the extra `model` brings num2words")

from transformers import AutoModelForImageTextToText

from shared.corpus import read_json, read_pairs
from shared.errors import InputError
from shared.images.decoding import open_image
from shared.program.settings import validated
from shared.questions.cleaning import cleaned
from shared.vqa.adapting.adapters import quiet_renames
from shared.vqa.chat.processor import Picture
from shared.vqa.families import load_answerer
from shared.vqa.inputs.instruction import INSTRUCTION_FILE, Instruction
from shared.vqa.inputs.question_length import MAX_QUESTION_TOKENS, TOKENIZER_CONFIG
from shared.vqa.quantization import Quantization
from tests.chat_models import CHAT_MODELS
from tests.families import save_git
from tests.trainer.learners.chat.models import trainable
from tests.trainer.recipes import fit_settings, write_data, write_recipe
from trainer.fitting.fit import fit
from trainer.merging.fuse import fuse
from trainer.merging.fusion import Fusion
from trainer.merging.merge import ADAPTER, MERGED, merge
from trainer.recipe.recipe import FitRecipe

PROMPT = "{question} Short!"
LANGUAGE = "model[.](language|text)_model[.].*[.](q|k|v|o|gate|up|down)_proj"
WIDE = {"rank": 16, "alpha": 32, "dropout": 0.0, "targets": LANGUAGE}
RUN = {"epochs": 4, "warmup_min_steps": 0, "learning_rate": 1e-2, "accumulation": 1, "lora": WIDE}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_data(folder, 15)
    return folder


@pytest.fixture(scope="module")
def fitted(data, tmp_path_factory):
    """An adapter of SmolVLM, asked with a prompt of its own."""
    out = tmp_path_factory.mktemp("fitted") / "adapter"
    return fit_on(trainable("smolvlm"), data, out, prompt=PROMPT).adapter


def fit_on(base, data, out, **changes):
    settings = fit_settings(base, data, out=str(out), **(RUN | changes))
    return fit(validated(FitRecipe, settings, source="test"), resume=False)


def texts(answerer, data, pairs):
    pictures = [answerer.prepare(open_image(data / "images" / pair.filename)) for pair in pairs]
    asked = [pair.question for pair in pairs]
    said = answerer.answer(answerer.remember(pictures), range(len(pairs)), asked)
    return [answer.text for answer in said]


def test_an_adapter_answers_in_plain_peft_as_it_does_here(fitted, data):
    pairs = read_pairs(data / "pairs.jsonl")[:6]
    base = str(trainable("smolvlm"))
    ours = load_answerer(base, adapter=fitted, quantization=Quantization.NONE)
    network = AutoModelForImageTextToText.from_pretrained(base, dtype=torch.float32).eval()
    with quiet_renames():
        plain = PeftModel.from_pretrained(network, fitted).eval()
    tokenizer, theirs = ours.model.tokenizer, []
    for pair in pairs:
        image = open_image(data / "images" / pair.filename)
        inputs = Picture(ours.processor, image, "").asked(PROMPT.format(question=pair.question))
        said = plain.generate(**inputs, max_new_tokens=10, do_sample=False)
        answer = said[0, inputs["input_ids"].shape[1] :]
        theirs.append(cleaned(tokenizer.decode(answer, skip_special_tokens=True)))
    ours_said = texts(ours, data, pairs)
    assert ours_said == theirs
    with ours.model.peft.disable_adapter():
        assert texts(ours, data, pairs) != ours_said


def test_the_prompt_is_kept_with_the_adapter_and_asked_with_it(fitted):
    assert read_json(fitted / INSTRUCTION_FILE)["prompt"] == PROMPT
    base = str(trainable("smolvlm"))
    instruction = load_answerer(base, adapter=fitted, quantization=Quantization.NONE)
    assert instruction.model.instruction.template == PROMPT
    other = Instruction("{question}")
    asked = load_answerer(base, adapter=fitted, quantization=Quantization.NONE, instruction=other)
    assert asked.model.instruction == other


def length(folder):
    """How long a prompt with its pictures may be, as servers such as vLLM read it."""
    return read_json(folder / TOKENIZER_CONFIG)["model_max_length"]


def test_the_adapter_keeps_how_long_a_prompt_its_base_reads(fitted):
    assert length(fitted) == length(trainable("smolvlm")) > MAX_QUESTION_TOKENS


@pytest.mark.slow
def test_merged_weights_answer_as_base_and_adapter(fitted, data, tmp_path):
    result = merge(fitted, tmp_path / "merged")
    assert abs(result.exact_match[MERGED] - result.exact_match[ADAPTER]) <= 1 / 6
    both = load_answerer(str(trainable("smolvlm")), adapter=fitted, quantization=Quantization.NONE)
    merged = load_answerer(str(result.folder), quantization=Quantization.NONE)
    assert merged.model.instruction.template == PROMPT
    assert length(result.folder) == length(fitted)
    pairs = read_pairs(data / "pairs.jsonl")
    pair_of = zip(texts(both, data, pairs), texts(merged, data, pairs), strict=True)
    assert sum(one == other for one, other in pair_of) >= 0.9 * len(pairs)


@pytest.mark.slow
def test_adapters_are_fused_and_those_of_another_prompt_or_base_refused(fitted, data, tmp_path):
    base = trainable("smolvlm")
    lamps = fit_on(base, data, tmp_path / "lamps", prompt=PROMPT, seed=1).adapter
    fuse([fitted, lamps], tmp_path / "both", method=Fusion.LINEAR)
    assert read_json(tmp_path / "both" / INSTRUCTION_FILE)["prompt"] == PROMPT
    assert length(tmp_path / "both") == length(fitted)
    load_answerer(str(base), adapter=tmp_path / "both", quantization=Quantization.NONE)

    others = {
        "other prompt": (fit_on(base, data, tmp_path / "asked"), "was trained with the prompt"),
        "other base": (
            fit_on(trainable("llava"), data, tmp_path / "llava", prompt=PROMPT),
            "have different bases",
        ),
    }
    for name, (result, said) in others.items():
        with pytest.raises(InputError, match=said):
            fuse([fitted, result.adapter], tmp_path / name, method=Fusion.LINEAR)
        assert not (tmp_path / name).exists()


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["qwen2_5_vl", pytest.param("gemma3", marks=pytest.mark.long)])
def test_what_fit_scores_is_what_evaluation_scores(data, tmp_path, name):
    out = tmp_path / "adapter"
    longer = RUN | {"epochs": 30, "quantize": "nf4"}
    recipe = write_recipe(
        tmp_path / "recipe.toml", fit_settings(trainable(name), data, out=str(out), **longer)
    )
    fitting = subprocess.run(
        [sys.executable, "-m", "trainer", "fit", recipe, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert fitting.returncode == 0, fitting.stderr
    assert "read='in one row'" in fitting.stderr or 'read="in one row"' in fitting.stderr
    printed = json.loads(fitting.stdout)
    assert printed["exact_match"] > printed["base_exact_match"]
    command = [
        *(sys.executable, "-m", "evaluator", "run"),
        *("--data", out / "dataset", "--split", "validation", "--images", data / "images"),
        *("--model", trainable(name), "--adapter", out, "--metrics", "exact_match"),
        *("--shuffle-sample", "0", "--out", tmp_path / "run", "--json"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    scorecard = json.loads(done.stdout)
    assert scorecard["metrics"]["exact_match"]["mean"] == pytest.approx(printed["exact_match"])


@pytest.mark.parametrize("save", [save_git, CHAT_MODELS["florence2"]])
def test_a_model_that_is_not_trained_here_is_refused(data, tmp_path, save):
    with pytest.raises(InputError, match="is not trained here"):
        fit_on(save(tmp_path / "model"), data, tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()


def test_a_prompt_without_a_place_for_the_question_is_refused(data, tmp_path):
    with pytest.raises(InputError, match="does not say where the question goes"):
        fit_on(trainable("smolvlm"), data, tmp_path / "adapter", prompt="Answer in one word.")
