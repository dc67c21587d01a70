"""What the pixels of a picture tell, for answers that are made up; the same for a scaled copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.images.decoding import opened_image
from shared.images.pixels import rgb

Colour: TypeAlias = tuple[float, float, float]
SIDE: Final = 20
_NEAR: Final = 40.0
"""Levels from the corners within which a pixel is taken for the background."""


def region_colours(content: bytes, regions: int) -> list[Colour]:
    """Return the colour of the whole object, then of bands of the picture from top to bottom.

    What looks like the corners is background, unless all does. Red, green, blue in [0, 255].

    Raises:
        CorruptImage: the image cannot be decoded.
    """
    with opened_image(content, "the image") as image:
        image.draft(None, (4 * SIDE, 4 * SIDE))
        small = rgb(image).resize((SIDE, SIDE), Image.Resampling.BOX)
    pixels = np.asarray(small, dtype=np.float64)
    corners = pixels[[0, 0, -1, -1], [0, -1, 0, -1]].mean(axis=0)
    is_object = np.linalg.norm(pixels - corners, axis=2) > _NEAR
    bands = np.array_split(np.arange(SIDE), max(1, regions - 1))
    return [_colour(pixels, is_object), *(_colour(pixels[b], is_object[b]) for b in bands)]


def _colour(
    pixels: NDArray[np.float64], is_object: NDArray[np.bool_]
) -> tuple[float, float, float]:
    chosen = pixels[is_object] if is_object.any() else pixels.reshape(-1, 3)
    red, green, blue = np.median(chosen, axis=0)
    return float(red), float(green), float(blue)


def nearest(colour: Colour, names: Mapping[str, Sequence[int]]) -> str:
    """Return the name whose colour is nearest.

    >>> nearest((240, 240, 240), {"white": [255, 255, 255], "black": [0, 0, 0]})
    'white'
    """
    return min(
        names, key=lambda name: sum((a - b) ** 2 for a, b in zip(colour, names[name], strict=True))
    )
