"""Image files to pictures in memory: whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageFile

from shared.errors import CorruptImage

# Truncated downloads must be reported, not filled with grey.
ImageFile.LOAD_TRUNCATED_IMAGES = False


def open_image(path: Path) -> Image.Image:
    """Decode an image file fully, as RGB.

    Raises:
        CorruptImage: the file is missing, truncated or not an image.
    """
    return decode_image(path, str(path))


def decode_image(content: Path | BinaryIO, name: str) -> Image.Image:
    """Do the same for a file or for what is in memory, under the name it has for people."""
    try:
        with Image.open(content) as image:
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise CorruptImage(f"{name}: not a readable image ({error})") from error
