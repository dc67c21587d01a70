"""Changed pictures: what each change does to the pixels, the same each time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from evaluator.robustness.pictures import PICTURE_CHANGES, seen


@pytest.fixture(scope="module")
def picture():
    values = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return Image.fromarray(values)


def pixels(image):
    return np.asarray(image).astype(int)


def test_a_picture_without_a_change_is_as_it_is(picture):
    assert seen(picture, "") is picture


@pytest.mark.parametrize(("view", "quarters"), [("turned=90", 1), ("turned=-90", 3)])
def test_a_quarter_turn_moves_pixels_and_makes_none(picture, view, quarters):
    assert (pixels(seen(picture, view)) == np.rot90(pixels(picture), quarters)).all()


def test_a_turned_picture_is_whole_on_the_colour_of_its_edges():
    image = Image.new("RGB", (60, 40), (250, 240, 230))
    image.paste((10, 20, 30), (1, 1, 59, 39))
    turned = seen(image, "turned=15")
    assert turned.width > 60
    assert turned.height > 40
    assert turned.getpixel((0, 0)) == (250, 240, 230)
    dark = (pixels(turned)[..., 0] < 100).sum()
    assert dark == pytest.approx(58 * 38, rel=0.03)


def test_a_darker_picture_has_that_share_of_each_value(picture):
    assert np.abs(pixels(seen(picture, "darker=0.5")) - pixels(picture) / 2).max() <= 1


def test_a_crop_is_the_middle(picture):
    assert (pixels(seen(picture, "cropped=0.5")) == pixels(picture)[7:22, 10:30]).all()


def test_compression_loses_more_the_lower_the_quality(picture):
    losses = [
        np.abs(pixels(seen(picture, f"compressed={quality}")) - pixels(picture)).mean()
        for quality in (90, 30, 5)
    ]
    assert losses == sorted(losses)
    assert 0 < losses[0] < losses[-1]


@given(
    st.sampled_from(sorted(PICTURE_CHANGES)),
    st.floats(0, 1),
    st.integers(1, 9),
    st.integers(1, 9),
)
def test_any_strength_takes_any_picture_and_gives_the_same_each_time(name, share, width, height):
    change = PICTURE_CHANGES[name]
    view = f"{name}={change.least + share * (change.most - change.least):g}"
    image = Image.new("RGB", (width, height), (200, 100, 50))
    first, again = seen(image, view), seen(image, view)
    assert first.mode == "RGB"
    assert min(first.size) >= 1
    assert first.tobytes() == again.tobytes()
    assert image.tobytes() == Image.new("RGB", (width, height), (200, 100, 50)).tobytes()
