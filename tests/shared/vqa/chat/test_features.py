"""Of a picture that was read, nothing is held but what the language model reads."""

import numpy as np
import pytest
import torch
from PIL import Image

from shared.vqa.chat.features import image_features, kept, on_device, without_pixels
from shared.vqa.chat.processor import Picture, open_processor

pytest.importorskip("torchvision", reason="the extra `model` brings torchvision")
pytest.importorskip("num2words", reason="the extra `model` brings num2words")

from transformers import AutoModelForImageTextToText

from tests.chat_models import CHAT_MODELS, chat_model

# Of PaliGemma's own processor.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def opened(name):
    folder = str(chat_model(name))
    network = AutoModelForImageTextToText.from_pretrained(folder).eval()
    return network, open_processor(folder, network.config)


def tensors(value):
    """Return all tensors in a structure."""
    if isinstance(value, torch.Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    return [found for part in parts or () for found in tensors(part)]


@pytest.mark.parametrize("name", CHAT_MODELS)
@torch.inference_mode()
def test_what_the_tower_held_besides_is_let_go_and_what_is_read_stays(name):
    network, processor = opened(name)
    picture = Picture(processor, Image.new("RGB", (64, 80)), name)
    inputs = on_device(network, picture.asked("is it red?"), torch.device("cpu"))
    whole = image_features(network, inputs)
    features = kept(whole)
    read = [*tensors(whole.pooler_output), *tensors(getattr(whole, "deepstack_features", None))]
    held = tensors(features)
    assert len(held) == len(read)
    assert all(map(torch.equal, held, read))
    assert {tensor.untyped_storage().nbytes() for tensor in held} == {
        tensor.nbytes for tensor in held
    }


def test_a_mask_over_pixels_goes_with_them():
    network, processor = opened("smolvlm")
    noise = np.random.default_rng(0).integers(0, 255, (64, 80, 3), dtype=np.uint8)
    picture = Picture(processor, Image.fromarray(noise), "smolvlm")
    inputs = on_device(network, picture.asked("is it red?"), torch.device("cpu"))
    assert "pixel_attention_mask" in inputs
    assert without_pixels(inputs).keys() == {"input_ids", "attention_mask"}
    picture.drop_pixels()
    held = picture._pixels._features
    assert {held[name].untyped_storage().nbytes() for name in inputs.keys() & held.keys()} <= {4, 8}
