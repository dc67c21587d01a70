"""Every family says to a question in a batch what its own model says to that question alone."""

from __future__ import annotations

import json
import random
import shutil

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image
from safetensors.torch import load_file, save_file
from structlog.testing import capture_logs
from transformers import BertConfig, BlipForConditionalGeneration

from shared.errors import AdapterNotApplied, InputError
from shared.vqa.adapting.adapter_files import ADAPTER_WEIGHTS
from shared.vqa.adapting.adapters import quiet_renames
from shared.vqa.blip2 import DECODER_PROMPT, ENCODER_DECODER_PROMPT
from shared.vqa.chat.answerer import ChatAnswerer
from shared.vqa.families import load_answerer, why_no_regions
from shared.vqa.inputs.instruction import MAX_NEW_TOKENS, Instruction, write_instruction
from shared.vqa.quantization import Quantization
from tests.families import SAVED, processor_of
from tests.models import QUESTIONS

FAMILIES = ("blip", *SAVED)
TARGETS = ["query", "key", "value", "q_proj", "v_proj", "q", "v"]


@pytest.fixture(scope="module")
def folders(tiny_model, tmp_path_factory):
    root = tmp_path_factory.mktemp("families")
    return {"blip": tiny_model} | {name: save(root / name) for name, save in SAVED.items()}


@pytest.fixture(scope="module")
def adapters(folders, tmp_path_factory):
    """For each family an adapter with random, not zero, weights."""
    root = tmp_path_factory.mktemp("adapters")
    for name, folder in folders.items():
        config = LoraConfig(r=4, lora_alpha=16, target_modules=TARGETS)
        with quiet_renames():
            peft = get_peft_model(load(folder).model.network, config)
        torch.manual_seed(3)
        with torch.no_grad():
            for part, weight in peft.named_parameters():
                if "lora_" in part:
                    weight.normal_(0, 0.3)
        peft.save_pretrained(root / name)
    return root


@pytest.fixture(scope="module")
def scenes():
    """Noise in four shapes: ViLT keeps them, so that its images differ in their patches."""
    dice = np.random.default_rng(0)
    return [
        Image.fromarray(dice.integers(0, 256, (*shape, 3), dtype=np.uint8)).resize(
            (shape[1] * 10, shape[0] * 10), Image.Resampling.NEAREST
        )
        for shape in ((4, 4), (4, 6), (8, 4))
    ]


def load(folder, **options):
    values = {"quantization": Quantization.NONE, "device": torch.device("cpu")} | options
    return load_answerer(str(folder), **values)


def asked(scenes):
    order = [(image, text) for image in range(len(scenes)) for text in QUESTIONS[1:5]]
    random.Random(1).shuffle(order)
    return [image for image, _ in order], [text for _, text in order]


@torch.no_grad()
def alone(network, processor, image, question) -> str:
    """Ask as the model's documentation shows: its processor, one question, one call."""
    prompts = {"opt": DECODER_PROMPT, "t5": ENCODER_DECODER_PROMPT}
    text_config = getattr(network.config, "text_config", None)
    prompt = prompts.get(getattr(text_config, "model_type", ""), "{}").format(question)
    inputs = processor(images=image, text=prompt, return_tensors="pt")
    if network.config.model_type == "vilt":
        return network.config.id2label[int(network(**inputs).logits.argmax())]
    if network.config.model_type == "git":
        inputs = {
            "pixel_values": inputs["pixel_values"],
            "input_ids": inputs["input_ids"][:, :-1],
            "attention_mask": inputs["attention_mask"][:, :-1],
        }
    inputs = {name: value for name, value in inputs.items() if name != "token_type_ids"}
    output = network.generate(
        **inputs, max_new_tokens=MAX_NEW_TOKENS, do_sample=False, num_beams=1
    )[0]
    if output[: inputs["input_ids"].shape[1]].equal(inputs["input_ids"][0]):
        output = output[inputs["input_ids"].shape[1] :]
    return processor.tokenizer.decode(output, skip_special_tokens=True).strip()


def answers_in_batches(answerer, scenes, image_of, questions, batch_size):
    memory = answerer.remember([answerer.prepare(scene) for scene in scenes])
    answers = []
    for first in range(0, len(questions), batch_size):
        part = slice(first, first + batch_size)
        answers.extend(answerer.answer(memory, image_of[part], questions[part]))
    return answers


@pytest.mark.parametrize(
    "adapted",
    [pytest.param(False, id="base"), pytest.param(True, id="adapter", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize(
    "quantization", [Quantization.NONE, pytest.param(Quantization.NF4, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", FAMILIES)
def test_answers_are_those_of_the_model_alone(
    folders, adapters, scenes, name, quantization, adapted
):
    adapter = adapters / name if adapted else None
    answerer = load(folders[name], adapter=adapter, quantization=quantization)
    image_of, questions = asked(scenes)
    processor = processor_of(folders[name])
    expected = [
        alone(answerer.model.network, processor, scenes[image], text)
        for image, text in zip(image_of, questions, strict=True)
    ]
    assert len(set(expected)) > 1
    for batch_size in (1, 64):
        answers = answers_in_batches(answerer, scenes, image_of, questions, batch_size)
        assert [answer.text for answer in answers] == expected
        assert all(0 <= answer.confidence <= 1 for answer in answers)


@pytest.mark.parametrize("name", ["blip", "vilt", "blip2-opt", "blip2-t5"])
def test_confidence_does_not_depend_on_the_batch_either(folders, scenes, name):
    answerer = load(folders[name])
    image_of, questions = asked(scenes)
    single = answers_in_batches(answerer, scenes, image_of, questions, 1)
    together = answers_in_batches(answerer, scenes, image_of, questions, 64)
    assert [answer.confidence for answer in together] == pytest.approx(
        [answer.confidence for answer in single], rel=1e-3
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_no_question_has_no_answer(folders, scenes, name):
    answerer = load(folders[name])
    assert answerer.answer(answerer.remember([answerer.prepare(scenes[0])]), [], []) == []


@pytest.mark.parametrize("name", ["blip", "vilt", "blip2-opt"])
def test_a_model_is_asked_in_the_prompt_of_the_adapter_that_was_merged_into_it(
    folders, tmp_path, scenes, name
):
    merged = tmp_path / "merged"
    shutil.copytree(folders[name], merged)
    write_instruction(Instruction("green {question}"), merged)
    image_of, questions = (some[:8] for some in asked(scenes))
    told = {"instruction": Instruction("green {question}")}
    wanted = answers_in_batches(load(folders[name], **told), scenes, image_of, questions, 8)
    assert answers_in_batches(load(merged), scenes, image_of, questions, 8) == wanted
    bare = load(merged, instruction=Instruction("{question} ?"))
    assert bare.model.instruction.template == "{question} ?"


@pytest.mark.parametrize("name", FAMILIES)
def test_an_adapter_that_changes_nothing_is_an_error(folders, adapters, tmp_path, name):
    adapter = shutil.copytree(adapters / name, tmp_path / "spoilt")
    tensors = load_file(adapter / ADAPTER_WEIGHTS)
    zero = {k: torch.zeros_like(v) if "lora_B" in k else v for k, v in tensors.items()}
    save_file(zero, adapter / ADAPTER_WEIGHTS, {"format": "pt"})
    with pytest.raises(AdapterNotApplied, match="every lora_B is zero"):
        load(folders[name], adapter=adapter)


def test_an_adapter_for_another_family_is_an_error(folders, adapters):
    with pytest.raises(AdapterNotApplied, match=r"architecture vilt, .* of blip"):
        load(folders["blip"], adapter=adapters / "vilt")


def test_a_model_without_family_answers_by_itself_and_says_so(folders):
    with capture_logs() as events:
        answerer = load(folders["git"])
    assert isinstance(answerer, ChatAnswerer)
    [event] = events
    assert (event["event"], event["log_level"]) == ("answers_by_plain_generate", "warning")
    assert event["architecture"] == "GitForCausalLM"
    assert answerer.computed_once == ""


@pytest.mark.parametrize("name", ["blip", "vilt", "blip2-opt", "blip2-t5"])
def test_our_families_say_what_they_compute_once_and_warn_of_nothing(folders, name):
    with capture_logs() as events:
        assert load(folders[name]).computed_once
    assert events == []


def test_regions_are_had_from_blip_alone(folders):
    assert why_no_regions(str(folders["blip"])) == ""
    assert "ViltForQuestionAnswering" in why_no_regions(str(folders["vilt"]))


def test_a_model_that_answers_nothing_is_refused(tmp_path):
    BertConfig(hidden_size=8, num_attention_heads=1).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"is a 'bert' model .* answers no questions"):
        load(tmp_path)


def test_a_model_whose_weights_are_of_another_task_is_refused(folders, tmp_path):
    """A captioning BLIP lacks the question encoder, which would be left at random."""
    folder = shutil.copytree(folders["blip"], tmp_path / "captions")
    config = json.loads((folder / "config.json").read_text())
    network = BlipForConditionalGeneration(load(folders["blip"]).model.network.config)
    network.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"lacks \d+ tensors of a BlipForQuestionAnswering"):
        load(folder)
