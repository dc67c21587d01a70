"""Small pictures, inside a page as data URIs or in files beside it."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageOps

from shared.errors import CorruptImage
from shared.images.source import ImageFiles

LONGEST_SIDE: Final = 160
"""Pixels."""
_QUALITY: Final = 82


@dataclass(frozen=True)
class Thumbnail:
    """A JPEG and its size in pixels."""

    jpeg: bytes
    width: int
    height: int

    @property
    def uri(self) -> str:
        """Return the picture as a data URI."""
        return "data:image/jpeg;base64," + base64.b64encode(self.jpeg).decode("ascii")


def thumbnail(images: ImageFiles, name: str) -> Thumbnail | None:
    """Return a picture of at most 160 x 160 pixels, or ``None`` if unreadable.

    Transparent parts become white, as in a shop's pictures.

    Raises:
        StoreUnreachable: the images' store does not answer.
    """
    try:
        with Image.open(io.BytesIO(images.content(name))) as image:
            # A big JPEG is decoded at a fraction of its size.
            image.draft("RGB", (2 * LONGEST_SIDE, 2 * LONGEST_SIDE))
            picture = ImageOps.exif_transpose(image).convert("RGBA")
    except (CorruptImage, OSError, ValueError, Image.DecompressionBombError):
        return None
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    flat = Image.new("RGB", picture.size, "white")
    flat.paste(picture, mask=picture.getchannel("A"))
    buffer = io.BytesIO()
    flat.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return Thumbnail(buffer.getvalue(), *flat.size)
