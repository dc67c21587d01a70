"""Makes an image fit for a request: JPEG, upright, RGB, at most 512 px on its longer side."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

from shared.errors import CorruptImage

LONGEST_PX: Final = 512
JPEG_QUALITY: Final = 90
_ORIENTATION_TAG: Final = 0x0112
_JPEG_ENDS: Final = b"\xff\xd9"
"""The end-of-image marker (ITU T.81, table B.1), which no file that was cut off ends with."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A JPEG file's bytes and the pixels of its longer side."""

    jpeg: bytes
    longest_px: int


def prepare_photo(path: Path) -> Photo:
    """Read, check and scale the image at ``path``; a JPEG that fits is passed on as it is.

    Such a one is looked at no further than that it has a header and an end.

    Raises:
        CorruptImage: missing, empty, not an image, cut off, or absurdly large.
    """
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            return _scaled(image, content)
    except FileNotFoundError:
        raise CorruptImage(f"{path}: no such image") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise CorruptImage(f"{path}: not a readable image ({error})") from error


def small_jpeg(path: Path, longest_px: int) -> bytes:
    """Return the image at ``path`` as a JPEG of at most ``longest_px`` on its longer side.

    Raises:
        CorruptImage: missing, empty, not an image, cut off, or absurdly large.
    """
    jpeg = prepare_photo(path).jpeg
    buffer = io.BytesIO()
    try:
        with Image.open(io.BytesIO(jpeg)) as image:
            image.draft("RGB", (longest_px, longest_px))
            image.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
            image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    except (OSError, ValueError, SyntaxError) as error:
        raise CorruptImage(f"{path}: not a readable image ({error})") from error
    return buffer.getvalue()


def _scaled(image: Image.Image, content: bytes) -> Photo:
    longest = max(image.size)
    if image.format == "JPEG" and image.mode == "RGB" and longest <= LONGEST_PX:
        if image.getexif().get(_ORIENTATION_TAG, 1) == 1:
            if not content.rstrip(b"\0").endswith(_JPEG_ENDS):
                # Decoded only to see that it is whole: grey and small, that takes half the time.
                image.draft("L", (1, 1))
                image.load()
            return Photo(content, longest)
    elif longest > LONGEST_PX:
        # Lets the JPEG decoder scale by itself, which is many times faster for large photos.
        image.draft("RGB", (LONGEST_PX, LONGEST_PX))
    image.load()
    picture = _opaque(ImageOps.exif_transpose(image))
    picture.thumbnail((LONGEST_PX, LONGEST_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return Photo(buffer.getvalue(), max(picture.size))


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if "A" not in image.mode and "transparency" not in image.info:
        return image.convert("RGB")
    # Product photos stand on white; black would be a frame that nobody sees.
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def open_image(content: bytes) -> Image.Image:
    """Read the header of an image file; pixels are decoded when they are needed.

    Raises:
        CorruptImage: not an image that can be read.
    """
    try:
        return Image.open(io.BytesIO(content))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise CorruptImage(f"not a readable image ({error})") from error
