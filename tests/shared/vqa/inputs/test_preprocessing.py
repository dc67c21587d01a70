"""Image files to pixels."""

import numpy as np
import pytest
from PIL import Image
from transformers import BlipImageProcessorPil, ViltImageProcessorPil

from shared.errors import CorruptImage
from shared.images.decoding import open_image
from shared.vqa.inputs.preprocessing import pixel_values
from tests.models import SHAPE


def test_any_mode_becomes_pixels_of_the_models_size(blip, tmp_path):
    opened = []
    for mode, name in (("L", "a.png"), ("RGBA", "b.png"), ("P", "c.gif"), ("CMYK", "d.jpg")):
        Image.new(mode, (50, 30)).save(tmp_path / name)
        opened.append(open_image(tmp_path / name))
    pixels = pixel_values(blip.image_processor, opened)
    assert pixels.shape == (4, 3, SHAPE.image_size, SHAPE.image_size)


@pytest.mark.parametrize("size", [(1, 1), (300, 200), (20, 900), (SHAPE.image_size,) * 2])
def test_pixels_are_the_processors_own(blip, size):
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    own = blip.image_processor(images=[image], return_tensors="pt")["pixel_values"]
    assert (pixel_values(blip.image_processor, [image]) == own).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"do_rescale": False},
        {"do_normalize": False},
        {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 1.0, 2.0], "rescale_factor": 0.01},
        {"image_mean": 0.5, "image_std": 0.25},
        {"do_center_crop": True, "crop_size": {"height": 10, "width": 12}},
    ],
)
def test_pixels_are_the_processors_own_whatever_it_does(settings):
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    processor = BlipImageProcessorPil(size={"height": 24, "width": 24}, **settings)
    own = processor(images=[image], return_tensors="pt")["pixel_values"]
    assert pixel_values(processor, [image]).equal(own)


@pytest.mark.parametrize("size", [(1, 1), (300, 200), (60, 900), (900, 61), (384, 384), (64, 96)])
def test_pixels_of_vilt_are_the_processors_own_in_the_pictures_shape(size):
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    image, processor = Image.fromarray(noise), ViltImageProcessorPil()
    own = processor(images=[image], return_tensors="pt")["pixel_values"]
    assert (pixel_values(processor, [image]) == own).all()


@pytest.mark.parametrize(("size", "shape"), [((1, 900), (32, 608)), ((900, 30), (608, 32))])
def test_a_picture_too_narrow_for_one_patch_of_vilt_has_one(size, shape):
    image = Image.new("RGB", (size[1], size[0]), "red")
    assert pixel_values(ViltImageProcessorPil(), [image]).shape == (1, 3, *shape)


@pytest.mark.parametrize("content", [b"", b"not an image", None])
def test_a_file_that_is_no_image_is_corrupt(tmp_path, content):
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(CorruptImage, match=r"a\.png: not a readable image"):
        open_image(tmp_path / "a.png")


def test_half_a_download_is_corrupt_and_not_filled_with_grey(tmp_path):
    Image.effect_noise((64, 64), 80).save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptImage):
        open_image(tmp_path / "a.jpg")
