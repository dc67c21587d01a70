"""A prompt is cut in two, and both together are what the processor returns for the question."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from shared.vqa.chat.processor import Picture, open_processor
from shared.vqa.chat.prompt import split_prompts
from shared.vqa.inputs.instruction import Instruction

pytest.importorskip("torchvision", reason="the extra `model` brings torchvision")
pytest.importorskip("num2words", reason="the extra `model` brings num2words")

from transformers import AutoConfig

from tests.chat_models import CHAT_MODELS, chat_model

# Of PaliGemma's own processor.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

INSTRUCTION = Instruction("Q: {question}\nAnswer with one word.")
SHAPES = ((64, 64), (40, 80), (90, 30))


def opened(name):
    folder = str(chat_model(name))
    return open_processor(folder, AutoConfig.from_pretrained(folder))


def picture(name, shape):
    noise = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    return Picture(opened(name), Image.fromarray(noise), name)


@pytest.mark.parametrize("name", CHAT_MODELS)
def test_both_parts_are_what_the_processor_returns(name):
    split = split_prompts(picture(name, SHAPES[0]), INSTRUCTION)
    for shape in SHAPES:
        prefix = split.prefix(picture(name, shape))
        for question in ("is it red?", "What is this", "  odd \u8272"):
            whole = picture(name, shape).asked(INSTRUCTION.around(question))
            ids = whole["input_ids"][0].tolist()
            own = prefix.question(ids)
            assert own
            assert [*prefix.ids, *own] == ids
            for key, value in prefix.inputs.items():
                by_token = whole[key].shape == whole["input_ids"].shape
                assert value.equal(whole[key][:, : len(prefix.ids)] if by_token else whole[key])


def test_constant_words_are_of_the_part_before():
    split = split_prompts(picture("llava", SHAPES[0]), INSTRUCTION)
    prefix = split.prefix(picture("llava", SHAPES[0]))
    own = prefix.question(picture("llava", SHAPES[0]).tokens(INSTRUCTION.around("is it?")))
    processor = opened("llava")
    assert processor.tokenizer.decode(prefix.ids).endswith("Q: ")
    assert processor.tokenizer.decode(own) == "is it?\nAnswer with one word.<a>"


def test_a_prompt_that_begins_otherwise_is_told():
    prefix = split_prompts(picture("llava", SHAPES[0]), INSTRUCTION).prefix(
        picture("llava", SHAPES[0])
    )
    assert prefix.question(picture("llava", SHAPES[0]).tokens("is it?")) is None


@pytest.mark.parametrize("name", ["smolvlm", "qwen2_vl", "llava_onevision"])
def test_pixels_are_dropped_and_had_again(name):
    one = picture(name, SHAPES[1])
    before, tokens = one.asked("what"), one.tokens("is it?")
    one.drop_pixels()
    assert one.tokens("is it?") == tokens
    after = one.asked("what")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("name", CHAT_MODELS)
def test_of_a_large_picture_the_processor_returns_the_same_and_its_pixels_alone_are_held(
    name, monkeypatch
):
    plain, large = (picture(name, (300, 170)) for _ in range(2))
    before, tokens = plain.asked("what"), plain.tokens("is it?")
    monkeypatch.setattr("shared.images.decoding.LARGE_PIXELS", 300 * 170 - 1)
    large.let_go("is it?")
    assert large._image.size == (64, 64)
    large.drop_pixels()
    assert large.tokens("is it?") == tokens
    after = large.asked("what")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_pixels_are_computed_once_for_all_questions():
    one = picture("llava", SHAPES[0])
    first = one.asked("what")["pixel_values"]
    assert one.asked("is it?")["pixel_values"].data_ptr() == first.data_ptr()


def test_thinking_is_switched_off_where_a_template_knows_of_it():
    processor = opened("llava")
    processor.chat_template += "{% if not enable_thinking | default(true) %}no{% endif %}"
    image = Image.new("RGB", (64, 64))
    ids = Picture(processor, image, "llava").tokens("what")
    assert processor.tokenizer.decode(ids).endswith("<a>no")


def test_pictures_are_read_by_several_threads():
    processor = opened("smolvlm")
    noise = np.random.default_rng(0)
    images = [
        Image.fromarray(noise.integers(0, 255, (64, 64, 3), dtype=np.uint8)) for _ in range(16)
    ]

    def read(image):
        return Picture(processor, image, "smolvlm").asked("what")["pixel_values"]

    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(read, images))
    assert all(pixels.equal(read(image)) for pixels, image in zip(together, images, strict=True))
