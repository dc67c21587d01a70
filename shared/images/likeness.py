"""How a picture looks, as a few numbers, and whether two pictures are near-identical.

They are when their perceptual hashes differ in at most ``HASH_DISTANCE`` bits, and their
thumbnails, which keep the colour that the hash drops, by at most ``COLOUR_DISTANCE``; by less
where a picture shows little: a swatch, a stud on white.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

HASH_BITS: Final = 64
HASH_DISTANCE: Final = 3
"""Bits of ``HASH_BITS`` (pHash; imagehash.phash)."""
COLOUR_DISTANCE: Final = 4.0
"""Mean absolute difference of 8 x 8 RGB thumbnails, in grey levels of 256."""
FAINT_DISTANCE: Final = 0.75
"""The same for a picture of one colour: more than a file saved anew differs by."""


class Look(NamedTuple):
    """A perceptual hash, and a thumbnail ``(8, 8, 3)``."""

    hash: int
    thumbnail: NDArray[np.int16]


def look_of(picture: Image.Image) -> Look:
    """Return how a decoded picture looks."""
    bits = imagehash.phash(picture).hash.ravel()
    thumbnail = picture.resize((8, 8), Image.Resampling.BOX)
    value = int("".join("1" if bit else "0" for bit in bits), 2)
    return Look(value, np.asarray(thumbnail, dtype=np.int16))


def is_near_identical(left: Look, right: Look) -> bool:
    """Return whether two pictures look alike to whoever compares answers about them."""
    if (left.hash ^ right.hash).bit_count() > HASH_DISTANCE:
        return False
    distance = float(np.abs(left.thumbnail - right.thumbnail).mean())
    if distance > COLOUR_DISTANCE:
        return False
    # No tolerance is smaller, and to reckon one takes longer than all of this.
    return distance <= FAINT_DISTANCE or distance <= min(
        colour_tolerance(look.thumbnail) for look in (left, right)
    )


def colour_tolerance(thumbnail: NDArray[np.int16]) -> float:
    """Return how far from it the thumbnail of a near-identical picture may be.

    That is half of how far its own parts are from its mean, so that a faint picture is not taken
    for every other one of its background; within ``FAINT_DISTANCE`` and ``COLOUR_DISTANCE``.
    """
    contrast = np.abs(thumbnail - thumbnail.mean(axis=(0, 1))).mean()
    return float(np.clip(contrast / 2, FAINT_DISTANCE, COLOUR_DISTANCE))
