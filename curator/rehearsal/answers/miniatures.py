"""A small picture of a picture, by which an image is known again after scaling and re-encoding.

A miniature is 16 x 16 RGB averages as 768 bytes. Between an image and its own copy at a quarter of
the size, JPEG quality 90, the root mean square difference was at most 3.4 grey levels on 400 images
of ABO and 7.0 on easy-VQA at half size; two different easy-VQA images never came closer than 6.9.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.images.decoding import opened_image
from shared.images.pixels import rgb

SIDE: Final = 16
LENGTH: Final = SIDE * SIDE * 3
COARSE_SIDE: Final = 4
BLOCK: Final = SIDE // COARSE_SIDE

Miniatures: TypeAlias = NDArray[np.uint8]
"""One miniature a row: (images, ``LENGTH``)."""


def miniature_of(content: bytes) -> NDArray[np.uint8]:
    """Return the miniature of an image file: ``LENGTH`` bytes, transparency on white.

    Raises:
        CorruptImage: the image cannot be decoded.
    """
    with opened_image(content, "the image") as image:
        image.draft(None, (4 * SIDE, 4 * SIDE))
        small = rgb(image).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.uint8).reshape(LENGTH)


def coarse(miniatures: Miniatures) -> NDArray[np.float64]:
    """Return 4 x 4 RGB averages, one row for each miniature: (images, 48)."""
    blocks = miniatures.reshape(-1, COARSE_SIDE, BLOCK, COARSE_SIDE, BLOCK, 3)
    averages: NDArray[np.float64] = blocks.mean(axis=(2, 4), dtype=np.float64)
    return averages.reshape(len(miniatures), -1)
