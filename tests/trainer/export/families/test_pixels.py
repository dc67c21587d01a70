"""Rules of a picture's pixels give what the model's own processor makes of it."""

import numpy as np
import pytest
from PIL import Image
from transformers import ViltImageProcessorPil
from transformers.models.clip.image_processing_clip import CLIPImageProcessor

from shared.onnx_vqa.pictures import pixels_by
from shared.vqa.inputs.preprocessing import pixel_values
from trainer.export.families.pixels import image_rules

SIZES = [(1, 1), (3, 186), (127, 2), (61, 189), (200, 75), (47, 71), (35, 32), (300, 320)]


def picture(width, height):
    """Return black beside white, over which the kernel shoots on both sides."""
    noise = np.random.default_rng(width).choice([0, 0, 90, 255, 255], (height, width, 3))
    return Image.fromarray(noise.astype(np.uint8))


@pytest.mark.parametrize("size", SIZES)
def test_of_vilt_to_the_bit_also_where_a_picture_is_narrower_than_a_patch(size):
    processor = ViltImageProcessorPil(size={"shortest_edge": 32}, size_divisor=8)
    wanted = pixel_values(processor, [picture(*size)]).numpy()
    assert np.array_equal(pixels_by(image_rules(processor), picture(*size)), wanted)


@pytest.mark.parametrize("size", SIZES)
def test_of_a_chat_model_to_a_grey_level_also_where_pillow_begins_with_the_columns(size):
    sides = {"height": 32, "width": 32}
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=sides)
    wanted = processor(images=[picture(*size)], return_tensors="np")["pixel_values"]
    pixels = pixels_by(image_rules(processor), picture(*size))
    std_C11 = np.array(processor.image_std)[:, None, None]
    levels = np.abs(pixels - wanted) * std_C11 * 255
    assert levels.max() < 1.01
    assert (levels > 0.01).mean() < 0.02
