"""Chat models answer as their own processor and ``generate`` do, whatever is kept of a picture."""

import json
import random
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from PIL import Image
from safetensors.torch import load_file, save_file

from shared.errors import AdapterNotApplied, InputError
from shared.questions.cleaning import CLEANING, cleaned
from shared.vqa.adapting.adapter_files import adapter_digest
from shared.vqa.adapting.adapters import quiet_renames
from shared.vqa.chat.abilities import Keeping
from shared.vqa.families import load_answerer
from shared.vqa.inputs.instruction import Instruction, default_prompt, write_instruction
from shared.vqa.quantization import Quantization

pytest.importorskip("torchvision", reason="the extra `model` brings torchvision")
pytest.importorskip("num2words", reason="the extra `model` brings num2words")

from transformers import AutoModelForImageTextToText, AutoProcessor

from tests.chat_models import CHAT_MODELS, chat_model
from tests.chat_models.whole import save_gemma3, save_llava

# Of PaliGemma's own processor.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

QUESTIONS = ("what color is the shape", "is it red?", "is it odd?")
BARE = Instruction("{question}")
KEPT = {
    "florence2": Keeping.FEATURES,
    "gemma3": Keeping.ROWS,
    "idefics3": Keeping.ROWS,
    "internvl": Keeping.ROWS,
    "llava": Keeping.ROWS,
    "llava_onevision": Keeping.ROWS,
    "paligemma2": Keeping.FEATURES,
    "qwen2_5_vl": Keeping.ROWS,
    "qwen2_vl": Keeping.ROWS,
    "qwen3_5": Keeping.COPIES,
    "qwen3_vl": Keeping.ROWS,
    "smolvlm": Keeping.ROWS,
}
ONE_OF_EACH_KIND = ("gemma3", "paligemma2", "qwen2_5_vl", "qwen3_5", "smolvlm")
NAMES = [
    name if name in ONE_OF_EACH_KIND else pytest.param(name, marks=pytest.mark.slow)
    for name in CHAT_MODELS
]
ADAPTED = [
    name if name in ("paligemma2", "qwen2_5_vl") else pytest.param(name, marks=pytest.mark.slow)
    for name in CHAT_MODELS
]


@pytest.fixture(scope="module")
def folders():
    return chat_model


@pytest.fixture(scope="module")
def scenes():
    """Two of one shape, which are read together, and one of another, which positions follow."""
    noise = np.random.default_rng(0)
    return [
        Image.fromarray(noise.integers(0, 255, (height, width, 3), dtype=np.uint8))
        for height, width in ((64, 64), (64, 64), (40, 80))
    ]


def load(folder, **more):
    return load_answerer(str(folder), **{"quantization": Quantization.NONE, **more})


def own_answer(network, processor, image, question, *, tokens=10):
    """What the model's card would say: its template, its processor, its generate; nothing kept."""
    if processor.chat_template is None:
        inputs = processor(images=image, text=question, return_tensors="pt")
        inputs.pop("labels", None)
    else:
        content = [{"type": "image"}, {"type": "text", "text": question}]
        text = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
        inputs = processor(images=image, text=text, add_special_tokens=False, return_tensors="pt")
    inputs = inputs.to(network.device, network.dtype)
    output = network.generate(**inputs, max_new_tokens=tokens, do_sample=False, num_beams=1)
    asked = 0 if network.config.is_encoder_decoder else inputs["input_ids"].shape[1]
    return processor.tokenizer.decode(output[0, asked:], skip_special_tokens=True).strip()


def own_answers(folder, scenes, asked, network=None, **more):
    processor = AutoProcessor.from_pretrained(folder)
    if network is None:
        network = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    return [own_answer(network, processor, scenes[at], text, **more) for at, text in asked]


def in_disorder(scenes):
    asked = [(at, text) for at in range(len(scenes)) for text in QUESTIONS]
    random.Random(1).shuffle(asked)
    return asked


def answers(answerer, memory, asked):
    return answerer.answer(memory, [at for at, _ in asked], [text for _, text in asked])


def texts(answerer, scenes, asked):
    memory = answerer.remember([answerer.prepare(image) for image in scenes])
    return [answer.text for answer in answers(answerer, memory, asked)]


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_those_of_each_question_alone(folders, scenes, name):
    """In disorder, about pictures of several shapes; and in parts, all of them again."""
    answerer = load(folders(name), instruction=BARE)
    assert answerer.keeping is KEPT[name]
    asked = in_disorder(scenes)
    wanted = own_answers(folders(name), scenes, asked)
    assert len(set(wanted)) > 3
    memory = answerer.remember([answerer.prepare(image) for image in scenes])
    parts = [asked, asked[:5], asked[5:7], asked[7:]]
    said = [answer for part in parts for answer in answers(answerer, memory, part)]
    assert [answer.text for answer in said] == [cleaned(text) for text in wanted + wanted]
    first, again = said[: len(asked)], said[len(asked) :]
    assert [answer.confidence for answer in again] == pytest.approx(
        [answer.confidence for answer in first], rel=1e-3
    )


def test_pictures_that_were_kept_and_others_between_them_are_all_answered(folders, scenes):
    answerer = load(folders("llava"), instruction=BARE)
    memory = answerer.remember([answerer.prepare(image) for image in scenes])
    outer = answers(answerer, memory, [(0, "what"), (2, "what")])
    every = answers(answerer, memory, [(at, "what") for at in range(3)])
    assert [every[0].text, every[2].text] == [answer.text for answer in outer]


def test_more_questions_than_there_is_room_for_wait(folders, scenes):
    answerer = load(folders("llava"), instruction=BARE)
    asked = [(at % 2, f"what is {at}") for at in range(160)]
    memory = answerer.remember([answerer.prepare(image) for image in scenes])
    together = answers(answerer, memory, asked)
    assert memory._kept.shelf.length < 1200
    some = answers(answerer, memory, asked[100:130])
    assert [answer.text for answer in some] == [answer.text for answer in together[100:130]]


def test_questions_of_other_lengths_go_through_the_network_together(folders, scenes, monkeypatch):
    answerer = load(folders("llava"), instruction=BARE)
    memory = answerer.remember([answerer.prepare(image) for image in scenes[:2]])
    passes = []
    of_group = memory._of_group
    monkeypatch.setattr(
        memory, "_of_group", lambda group, own: passes.append(own) or of_group(group, own)
    )
    asked = [(at % 2, "what" + " is" * at) for at in range(10)]
    answers(answerer, memory, asked)
    assert [sum(map(len, own.values())) for own in passes] == [10]


@pytest.mark.parametrize("name", ["gemma3", "qwen2_5_vl"])
def test_answers_do_not_depend_on_how_many_pictures_fit(folders, scenes, name):
    answerer = load(folders(name), instruction=BARE)
    asked = in_disorder(scenes)
    together = texts(answerer, scenes, asked)
    answerer._memory_bytes = 1
    assert texts(answerer, scenes, asked) == together


def test_a_rule_against_saying_things_twice_is_heeded(folders, scenes, tmp_path):
    """Published Qwen models have one; it reads the picture's tokens and the question too."""
    folder = shutil.copytree(folders("qwen2_5_vl"), tmp_path / "chat")
    rules = json.loads((folder / "generation_config.json").read_text())
    rules["repetition_penalty"] = 1.3
    (folder / "generation_config.json").write_text(json.dumps(rules))
    asked = in_disorder(scenes)
    said = texts(load(folder, instruction=BARE), scenes, asked)
    assert said == [cleaned(text) for text in own_answers(folder, scenes, asked)]
    assert said != texts(load(folders("qwen2_5_vl"), instruction=BARE), scenes, asked)


def test_a_row_longer_than_the_window_is_asked_alone(scenes, tmp_path):
    """Its own cache lets go of what is further back, which no row of several questions can."""
    folder = save_gemma3(tmp_path / "gemma3", window=24)
    asked = in_disorder(scenes)[:6]
    answerer = load(folder, instruction=BARE)
    assert answerer.keeping is Keeping.ROWS
    wanted = [cleaned(text) for text in own_answers(folder, scenes, asked)]
    assert texts(answerer, scenes, asked) == wanted


def test_what_gemma_is_told_of_its_image_tokens_reaches_it(folders, scenes):
    """Left out, its image tokens do not see each other, in silence."""
    answerer = load(folders("gemma3"))
    memory = answerer.remember([answerer.prepare(scenes[0])])
    given = memory.whole(0, QUESTIONS[0])
    assert {"token_type_ids", "pixel_values", "attention_mask"} <= set(given)
    logits = answerer.model.network(**given).logits
    given.pop("token_type_ids")
    assert not torch.allclose(answerer.model.network(**given).logits, logits)


@pytest.mark.parametrize("name", ["gemma3", "smolvlm"])
def test_a_mark_of_a_picture_in_a_question_is_no_further_picture(folders, scenes, name):
    """Data sets of chats write it before each question; a processor counts it, and gives up."""
    answerer = load(folders(name))
    own = {"gemma3": "<boi>", "smolvlm": "<image>"}[name]
    plain, *marked = texts(
        answerer,
        scenes,
        [(0, "is it red?"), (0, "<image>\nis it red?"), (0, f"is {own} it red? {own}")],
    )
    assert marked == [plain, plain]


def test_an_instruction_and_a_length_are_heeded(folders, scenes):
    template, asked = "Q: {question} Answer in one word.", [(0, QUESTIONS[1])]
    folder = folders("qwen2_5_vl")
    [said] = texts(load(folder, instruction=Instruction(template, 3)), scenes, asked)
    within = [(0, template.replace("{question}", QUESTIONS[1]))]
    assert [said] == [cleaned(text) for text in own_answers(folder, scenes, within, tokens=3)]


def test_without_an_instruction_a_short_answer_is_asked_for(folders, scenes):
    answerer = load(folders("qwen2_5_vl"))
    template = default_prompt("qwen2_5_vl")
    assert answerer.model.instruction.template == template
    assert "single word" in template
    within = [(0, template.replace("{question}", QUESTIONS[1]))]
    wanted = own_answers(folders("qwen2_5_vl"), scenes, within)
    assert texts(answerer, scenes, [(0, QUESTIONS[1])]) == [cleaned(text) for text in wanted]
    assert answerer.cleaning == CLEANING


@pytest.mark.parametrize(
    "template", ["{% for m in messages %}{{ m.content + 'x' }}{% endfor %}", "{% if %}", "<u>hello"]
)
def test_a_template_that_takes_no_image_is_bad_input(folders, tmp_path, template):
    folder = shutil.copytree(folders("qwen2_5_vl"), tmp_path / "chat")
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(InputError, match=r"chat: its chat template (cannot be used|leaves)"):
        load(folder)


def test_without_a_template_the_prompt_has_the_image(tmp_path, scenes):
    folder = save_llava(tmp_path / "llava", template=False)
    with pytest.raises(InputError, match=r"has no chat template.* give the picture's place"):
        load(folder)
    told = load(folder, instruction=Instruction("<image>{question}"))
    memory = told.remember([told.prepare(scenes[0])])
    assert told.answer(memory, [0], ["what"])[0].confidence > 0


def save_adapter(folder, model):
    network = AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32)
    targets = r".*(language_model|text_model)\..*\.(q|v)_proj"
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


@pytest.mark.parametrize("name", ADAPTED)
def test_an_adapter_of_peft_answers_as_it_does_there(folders, scenes, tmp_path, name):
    adapter = save_adapter(tmp_path / "adapter", folders(name))
    asked = in_disorder(scenes)[:4]
    said = texts(load(folders(name), adapter=adapter, instruction=BARE), scenes, asked)
    base = AutoModelForImageTextToText.from_pretrained(folders(name), dtype=torch.float32)
    with quiet_renames():
        network = PeftModel.from_pretrained(base, adapter).eval()
    wanted = own_answers(folders(name), scenes, asked, network)
    assert said == [cleaned(text) for text in wanted]
    assert said != texts(load(folders(name), instruction=BARE), scenes, asked)


@pytest.mark.parametrize(
    ("trained_on", "base"),
    [("smolvlm", "qwen2_5_vl"), ("qwen2_vl", "qwen2_5_vl"), ("qwen3_vl", "gemma3")],
)
def test_an_adapter_of_another_architecture_is_bad_input(folders, tmp_path, trained_on, base):
    """Of the last two every layer has its place there, as those of Qwen2-VL 7B in Qwen2.5-VL."""
    adapter = save_adapter(tmp_path / "adapter", folders(trained_on))
    with pytest.raises(AdapterNotApplied, match=f"architecture {trained_on}, .* of {base}"):
        load(folders(base), adapter=adapter)
    config = adapter / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "auto_mapping": None}))
    if trained_on == "smolvlm":
        with pytest.raises(AdapterNotApplied, match="was it trained on another base"):
            load(folders(base), adapter=adapter)
    else:
        assert load(folders(base), adapter=adapter)


def test_an_adapter_is_asked_as_it_was_trained(folders, tmp_path, scenes):
    adapter = save_adapter(tmp_path / "adapter", folders("qwen2_5_vl"))
    digest = adapter_digest(adapter)
    write_instruction(Instruction("Say: {question}"), adapter)
    assert adapter_digest(adapter) != digest
    answerer = load(folders("qwen2_5_vl"), adapter=adapter)
    assert answerer.model.instruction.template == "Say: {question}"
    told = load(folders("qwen2_5_vl"), adapter=adapter, instruction=BARE)
    assert told.model.instruction == BARE


@pytest.mark.slow
@pytest.mark.parametrize("name", list(CHAT_MODELS))
def test_in_4_bit_answers_are_those_of_each_question_alone(folders, scenes, name):
    answerer = load(folders(name), quantization=Quantization.NF4, instruction=BARE)
    assert answerer.keeping is KEPT[name]
    asked = in_disorder(scenes)
    wanted = own_answers(folders(name), scenes, asked, answerer.model.network)
    said = texts(answerer, scenes, asked)
    differ = sum(a != cleaned(b) for a, b in zip(said, wanted, strict=True))
    # Random weights are near ties everywhere; a wrong reading would change nearly all.
    assert differ <= 1


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
from shared.vqa.adapting.adapter_files import adapter_digest
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
    assert "pip install 'abo-vqa[model]'" in line, ended.stderr


def test_pictures_of_our_families_do_not_depend_on_torchvision(tmp_path, tiny_model):
    """It is installed here; the processor is Pillow's all the same."""
    model = load(tiny_model).model
    assert type(model.image_processor).__name__ == "BlipImageProcessorPil"
    config = json.loads((tiny_model / "processor_config.json").read_text(encoding="utf-8"))
    assert config["image_processor"]["image_processor_type"].startswith("BlipImageProcessor")
