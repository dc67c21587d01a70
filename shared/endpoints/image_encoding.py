"""Makes an image fit for a request: JPEG, upright, RGB, only so large."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

from PIL import Image

from shared.errors import AboVqaError
from shared.images.decoding import opened_image, read_image_file, tell_losses
from shared.images.fitness import ANY_PICTURE, Fitness, looks_of, measured
from shared.images.jpeg_header import plain_jpeg_size
from shared.images.pixels import orientation, rgb
from shared.value_class import value_class

LONGEST_PX: Final = 512
JPEG_QUALITY: Final = 90
_JPEG_ENDS: Final = b"\xff\xd9"
"""The end-of-image marker (ITU T.81, table B.1), which no file that was cut off ends with."""


@value_class
class Photo:
    """A JPEG file's bytes and the pixels of its longer side.

    ``further`` are the listing's other pictures that are to go with it, ``None`` for each that
    cannot.
    """

    jpeg: bytes
    longest_px: int
    further: tuple[Photo | None, ...] = ()


class UnfitImage(AboVqaError):
    """An image that can be read, and is not worth asking about."""


def prepare_photo(path: Path | str, wanted: Fitness = ANY_PICTURE) -> Photo:
    """Read, check and scale the image at ``path``; a JPEG that fits is passed on as it is.

    Such a one is looked at no further than that it has a header and an end, unless more is
    ``wanted`` of its looks.

    Raises:
        UnfitImage: it has not what is wanted.
        CorruptImage: missing, empty, not an image, cut off, or absurdly large.
        StoreUnreachable: the machine does not give the file.
    """
    content = read_image_file(path)
    if not wanted.looks_closer and (size := _plain_size(content, LONGEST_PX)):
        _require(wanted.too_small(size))
        return Photo(content, max(size))
    with opened_image(content, str(path)) as image:
        shorter_px = min(image.size)
        _require(wanted.too_small(image.size))
        if _fits(image):
            if wanted.looks_closer:
                _require(wanted.unfit_because(looks_of(image)))
            else:
                _require_end(image, content)
            return Photo(content, max(image.size))
        tell_losses(image, str(path))
        picture = _scaled(image)
        if wanted.looks_closer:
            _require(wanted.unfit_because(measured(picture, shorter_px)))
        return _encoded(picture)


def photo_of(content: bytes, place: str, longest_px: int) -> Photo:
    """Return an image file's content as a photo of at most ``longest_px``; a JPEG that fits as is.

    Raises:
        CorruptImage: empty, not an image, cut off, or absurdly large.
    """
    if size := _plain_size(content, longest_px):
        return Photo(content, max(size))
    with opened_image(content, place) as image:
        if _fits(image, longest_px):
            _require_end(image, content)
            return Photo(content, max(image.size))
        tell_losses(image, place)
        return _encoded(_scaled(image, longest_px))


def photo_from(picture: Image.Image, longest_px: int) -> Photo:
    """Return a decoded picture as a photo of at most ``longest_px``."""
    return _encoded(_scaled(picture, longest_px))


def _require(unfit: str) -> None:
    if unfit:
        raise UnfitImage(unfit)


def _plain_size(content: bytes, longest_px: int) -> tuple[int, int] | None:
    """Return the size of a whole JPEG that fits and can be told without Pillow."""
    size = plain_jpeg_size(content)
    return size if size and max(size) <= longest_px and _has_end(content) else None


def _fits(image: Image.Image, longest_px: int = LONGEST_PX) -> bool:
    return (
        image.format == "JPEG"
        and image.mode == "RGB"
        and max(image.size) <= longest_px
        and orientation(image) == 1
    )


def _require_end(image: Image.Image, content: bytes) -> None:
    if not _has_end(content):
        # Decoded only to check that it is whole: grey and small, that takes half the time.
        image.draft("L", (1, 1))
        image.load()


def _has_end(content: bytes) -> bool:
    return content.rstrip(b"\0").endswith(_JPEG_ENDS)


def _scaled(image: Image.Image, longest_px: int = LONGEST_PX) -> Image.Image:
    if max(image.size) > longest_px:
        # Lets the JPEG decoder scale by itself, which is many times faster for large photos.
        image.draft(None, (longest_px, longest_px))
    picture = rgb(image)
    picture.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    return picture


def _encoded(picture: Image.Image) -> Photo:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return Photo(buffer.getvalue(), max(picture.size))
