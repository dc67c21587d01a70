"""Small copies of pictures, for pages."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Final

from PIL import Image

from shared.images.decoding import opened_image
from shared.images.pixels import rgb

_QUALITY: Final = 85


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


def thumbnail(content: bytes, name: str, longest_px: int) -> Thumbnail:
    """Return an image file's picture with at most ``longest_px`` on its longer side.

    Raises:
        CorruptImage: truncated or not an image.
    """
    with opened_image(content, name) as image:
        # A big JPEG is decoded at a fraction of its size.
        image.draft(None, (2 * longest_px, 2 * longest_px))
        picture = rgb(image)
    picture.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return Thumbnail(buffer.getvalue(), *picture.size)
