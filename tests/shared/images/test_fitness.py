"""What is told of pictures: too small, blank, blurred."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy.ndimage import laplace

from shared.images.fitness import Fitness, looks_of

RNG = np.random.default_rng(0)


def scene(side: int = 400) -> Image.Image:
    """Bars of all widths on a slope of grey."""
    x = np.arange(side)
    pattern = 60 * np.sign(np.sin(x**1.5 / 40))[None, :] + np.linspace(60, 180, side)[:, None]
    return Image.fromarray(np.clip(pattern, 0, 255).astype(np.uint8)).convert("RGB")


def saved(image: Image.Image, kind: str = "PNG", **more) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return Image.open(buffer)


def test_the_measures_are_those_of_the_grey_picture():
    image = scene()
    grey = np.asarray(image.convert("L"), dtype=float)
    looks = looks_of(saved(image))
    assert looks.shorter_px == 400
    assert looks.contrast == pytest.approx(grey.std(), rel=1e-6)
    edges = np.clip(laplace(grey)[1:-1, 1:-1], -128, 127)
    assert looks.sharpness == pytest.approx(edges.std(), rel=1e-6)


def test_a_picture_of_one_colour_has_neither_contrast_nor_edges():
    looks = looks_of(saved(Image.new("RGB", (300, 200), (250, 250, 250))))
    assert (looks.shorter_px, looks.contrast, looks.sharpness) == (200, 0.0, 0.0)


def test_the_more_blurred_the_less_sharp():
    sharpness = [
        looks_of(saved(scene().filter(ImageFilter.GaussianBlur(radius)))).sharpness
        for radius in (0, 1, 2, 4, 8)
    ]
    assert sharpness == sorted(sharpness, reverse=True)
    assert sharpness[0] > 5 * sharpness[2]


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_large_pictures_are_measured_as_they_are_sent(kind):
    looks = looks_of(saved(scene(3_000), kind))
    assert looks.shorter_px == 3_000
    small = scene(3_000)
    small.thumbnail((512, 512))
    assert looks.contrast == pytest.approx(looks_of(saved(small)).contrast, rel=0.1)


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 1)])
def test_pictures_of_few_pixels_are_told_too(size):
    looks = looks_of(saved(Image.new("RGB", size, "red")))
    assert (looks.shorter_px, looks.sharpness) == (min(size), 0.0)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Fitness(), ""),
        (Fitness(min_pixels=400), ""),
        (Fitness(min_pixels=401), "too small: a side below 401 px"),
        (Fitness(min_contrast=20.0), ""),
        (Fitness(min_contrast=120.0), "blank: contrast below 120"),
        (Fitness(min_sharpness=2.5), ""),
        (Fitness(min_sharpness=127.5), "blurred: sharpness below 127.5"),
    ],
)
def test_each_threshold_tells_its_reason(wanted, reason):
    assert wanted.unfit_because(looks_of(saved(scene()))) == reason
