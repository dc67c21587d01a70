"""Changed pictures, made in memory from the decoded one: the same pixels each time."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageEnhance

from shared.images.decoding import decode_image

_QUARTERS: Final = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_270,
}
_LONGEST_JPEG_PX: Final = 65_500
"""A side of a JPEG has at most 65,535 pixels (ITU T.81, B.2.2); libjpeg takes 65,500."""


@dataclass(frozen=True)
class PictureChange:
    """A way to change a picture, by a strength between ``least`` and ``most``.

    ``definition`` says what it does, with the strength in its braces.
    """

    name: str
    usual: float
    least: float
    most: float
    definition: str
    apply: Callable[[Image.Image, float], Image.Image]
    moves: bool
    """Whether what stood in one place stands in another: boxes no longer say where things are."""


def turned(picture: Image.Image, degrees: float) -> Image.Image:
    """Return a picture turned counterclockwise, none of it cut off.

    What is new in the corners has the median colour of the picture's edges.
    """
    quarters = degrees % 360
    if quarters in _QUARTERS:
        return picture.transpose(_QUARTERS[int(quarters)])
    pixels_HWC = np.asarray(picture)
    edges_NC = np.concatenate(
        [pixels_HWC[0], pixels_HWC[-1], pixels_HWC[:, 0], pixels_HWC[:, -1]], axis=0
    )
    red, green, blue = np.median(edges_NC, axis=0).astype(int).tolist()
    return picture.rotate(
        degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=(red, green, blue)
    )


def darker(picture: Image.Image, share: float) -> Image.Image:
    """Return a picture with each of its values multiplied by ``share``."""
    return ImageEnhance.Brightness(picture).enhance(share)


def cropped(picture: Image.Image, share: float) -> Image.Image:
    """Return the middle of a picture: ``share`` of its width and of its height."""
    width, height = (max(1, round(share * side)) for side in picture.size)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def compressed(picture: Image.Image, quality: float) -> Image.Image:
    """Return a picture as a JPEG of that quality has it."""
    if max(picture.size) > _LONGEST_JPEG_PX:
        picture = picture.copy()
        picture.thumbnail((_LONGEST_JPEG_PX, _LONGEST_JPEG_PX))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=round(quality))
    return decode_image(buffer.getvalue(), "a compressed picture")


PICTURE_CHANGES: Final[Mapping[str, PictureChange]] = {
    change.name: change
    for change in (
        PictureChange(
            "turned",
            *(15, -180, 180),
            "turned counterclockwise by {:g} degrees",
            turned,
            moves=True,
        ),
        PictureChange(
            "darker",
            *(0.5, 0.01, 0.99),
            "values multiplied by {:g}",
            darker,
            moves=False,
        ),
        PictureChange(
            "cropped",
            *(0.8, 0.05, 0.99),
            "the middle, {:g} of width and height",
            cropped,
            moves=True,
        ),
        PictureChange(
            "compressed", *(10, 1, 95), "as a JPEG of quality {:g}", compressed, moves=False
        ),
    )
}
"""The ways, by name."""


def seen(picture: Image.Image, view: str) -> Image.Image:
    """Return a picture as ``view`` says it is shown: ``NAME=STRENGTH``, or as it is for ``""``."""
    if not view:
        return picture
    name, _, strength = view.partition("=")
    return PICTURE_CHANGES[name].apply(picture, float(strength))
