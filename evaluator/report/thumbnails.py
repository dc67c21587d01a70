"""Small pictures as data URIs, so that a page needs no file beside it."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

LONGEST_SIDE: Final = 160
"""Pixels."""
_QUALITY: Final = 82


def thumbnail_uri(path: Path) -> str | None:
    """Return a JPEG of at most 160 x 160 pixels as a data URI, or ``None`` if unreadable.

    Transparent parts become white, as in a shop's pictures.
    """
    try:
        with Image.open(path) as image:
            picture = ImageOps.exif_transpose(image).convert("RGBA")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    flat = Image.new("RGB", picture.size, "white")
    flat.paste(picture, mask=picture.getchannel("A"))
    buffer = io.BytesIO()
    flat.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
