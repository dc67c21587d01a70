"""Chat models answer as their own processor and ``generate`` do, with nothing left out."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from PIL import Image
from safetensors.torch import load_file, save_file

from shared.errors import AdapterNotApplied, InputError
from shared.vqa.adapting.adapters import quiet_renames
from shared.vqa.families import load_answerer
from shared.vqa.inputs.instruction import Instruction
from shared.vqa.plain import PlainAnswerer
from shared.vqa.quantization import Quantization

pytest.importorskip("torchvision", reason="the extra `evaluator` brings torchvision")
pytest.importorskip("num2words", reason="the extra `evaluator` brings num2words")

from transformers import AutoModelForImageTextToText, AutoProcessor

from tests.chat_models import CHAT_MODELS, chat_model
from tests.chat_models.whole import save_llava

QUESTIONS = ("what color is the shape", "is it red?", "what")
FAST = ("gemma3", "qwen2_5_vl")
NAMES = [
    name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in CHAT_MODELS
]


@pytest.fixture(scope="module")
def folders():
    return chat_model


@pytest.fixture(scope="module")
def scenes():
    """Of different shapes, since some models' positions follow them."""
    noise = np.random.default_rng(0)
    return [
        Image.fromarray(noise.integers(0, 255, (height, width, 3), dtype=np.uint8))
        for height, width in ((64, 64), (40, 80), (90, 30))
    ]


def load(folder, **more):
    return load_answerer(str(folder), quantization=Quantization.NONE, **more)


def own_answer(folder, image, question, *, tokens=10, without=()):
    """What the model's card would say: its template, its processor, its generate; nothing kept."""
    processor = AutoProcessor.from_pretrained(folder)
    network = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    content = [{"type": "image"}, {"type": "text", "text": question}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True
    )
    inputs = processor(images=image, text=text, add_special_tokens=False, return_tensors="pt")
    for name in without:
        del inputs[name]
    output = network.generate(**inputs, max_new_tokens=tokens, do_sample=False, num_beams=1)
    asked = inputs["input_ids"].shape[1]
    return processor.tokenizer.decode(output[0, asked:], skip_special_tokens=True).strip()


def every_question(scenes):
    pairs = [(at, question) for question in QUESTIONS for at in range(len(scenes))]
    return [at for at, _ in pairs], [question for _, question in pairs]


@pytest.mark.parametrize("name", NAMES)
def test_every_question_is_answered_as_on_its_own(folders, scenes, name):
    answerer = load(folders(name))
    assert isinstance(answerer, PlainAnswerer)
    memory = answerer.remember([answerer.prepare(image) for image in scenes])
    image_of, questions = every_question(scenes)
    texts = [answer.text for answer in answerer.answer(memory, image_of, questions)]
    wanted = [
        own_answer(folders(name), scenes[at], question)
        for at, question in zip(image_of, questions, strict=True)
    ]
    assert texts == wanted
    assert len(set(texts)) > 3


def test_what_gemma_is_told_of_its_image_tokens_reaches_it(folders, scenes):
    """Left out, its image tokens do not see each other, in silence."""
    answerer = load(folders("gemma3"))
    given = answerer._inputs(answerer.prepare(scenes[0]), QUESTIONS[0])
    assert {"token_type_ids", "pixel_values", "attention_mask"} <= set(given)
    logits = answerer.model.network(**given).logits
    given.pop("token_type_ids")
    assert not torch.allclose(answerer.model.network(**given).logits, logits)


def test_an_instruction_and_a_length_are_heeded(folders, scenes):
    template, question = "Q: {question} Answer in one word.", QUESTIONS[1]
    answerer = load(folders("qwen2_5_vl"), instruction=Instruction(template, 3))
    [answer] = answerer.answer(answerer.remember([answerer.prepare(scenes[0])]), [0], [question])
    asked = template.replace("{question}", question)
    assert answer.text == own_answer(folders("qwen2_5_vl"), scenes[0], asked, tokens=3)
    assert answer.text != own_answer(folders("qwen2_5_vl"), scenes[0], question)


@pytest.mark.parametrize(
    "template", ["{% for m in messages %}{{ m.content + 'x' }}{% endfor %}", "{% if %}"]
)
def test_a_template_that_takes_no_image_is_bad_input(folders, tmp_path, scenes, template):
    folder = shutil.copytree(folders("qwen2_5_vl"), tmp_path / "chat")
    (folder / "chat_template.jinja").write_text(template)
    answerer = load(folder)
    with pytest.raises(InputError, match="chat: its chat template cannot be used"):
        answerer.answer(answerer.remember([answerer.prepare(scenes[0])]), [0], ["what"])


@pytest.mark.slow
def test_without_a_template_the_prompt_has_the_image(tmp_path, scenes):
    folder = save_llava(tmp_path / "llava", template=False)
    plain = load(folder)
    with pytest.raises(InputError, match=r"it may want the place of its image in --prompt"):
        plain.answer(plain.remember([plain.prepare(scenes[0])]), [0], ["what"])
    told = load(folder, instruction=Instruction("<image>{question}"))
    assert told.answer(told.remember([told.prepare(scenes[0])]), [0], ["what"])[0].confidence > 0


def save_adapter(folder, model):
    network = AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32)
    targets = r".*language_model\..*\.(q|v)_proj"
    with quiet_renames():
        peft = get_peft_model(network, LoraConfig(r=2, target_modules=targets))
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in peft.named_parameters():
            if "lora_" in name:
                weight.normal_(0, 0.3)
    peft.save_pretrained(folder)
    return folder


def test_an_adapter_of_old_names_is_an_error(folders, tmp_path, scenes):
    """peft does not convert those of Qwen2-VL: the adapter would stay as it was drawn."""
    model = folders("qwen2_5_vl")
    adapter = save_adapter(tmp_path / "adapter", model)
    assert load(model, adapter=adapter).model.adapter_sha256
    path = adapter / "adapter_model.safetensors"
    old = {
        name.replace("model.language_model.layers", "model.layers"): tensor
        for name, tensor in load_file(path).items()
    }
    save_file(old, path, {"format": "pt"})
    with pytest.raises(AdapterNotApplied, match="was it trained on another base"):
        load(model, adapter=adapter)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(CHAT_MODELS))
def test_in_4_bit_it_answers_too(folders, scenes, name):
    answerer = load_answerer(str(folders(name)), quantization=Quantization.NF4)
    [answer] = answerer.answer(answerer.remember([answerer.prepare(scenes[0])]), [0], ["what"])
    assert 0 < answer.confidence <= 1


@pytest.mark.slow
def test_without_torchvision_it_says_what_to_install(folders):
    script = """
import importlib.util, sys
real = importlib.util.find_spec
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torchvision":
            raise ModuleNotFoundError(name)
importlib.util.find_spec = lambda name, *a: None if name == "torchvision" else real(name, *a)
sys.meta_path.insert(0, Absent())
from shared.errors import InputError
from shared.vqa.adapting.adapters import quiet_renames
from shared.vqa.families import load_answerer
from shared.vqa.quantization import Quantization
try:
    load_answerer(sys.argv[1], quantization=Quantization.NONE)
except InputError as error:
    print(error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script, str(folders("gemma3"))],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    [line] = [row for row in ended.stdout.splitlines() if "gemma3: its processor needs" in row]
    assert "pip install 'abo-vqa[evaluator]'" in line, ended.stderr


def test_pictures_of_our_families_do_not_depend_on_torchvision(tmp_path, tiny_model):
    """It is installed here; the processor is Pillow's all the same."""
    model = load(tiny_model).model
    assert type(model.image_processor).__name__ == "BlipImageProcessorPil"
    config = json.loads((tiny_model / "processor_config.json").read_text(encoding="utf-8"))
    assert config["image_processor"]["image_processor_type"].startswith("BlipImageProcessor")
