"""A report's small pictures, and none for what cannot be read."""

from __future__ import annotations

from typing import Final

from shared.errors import CorruptImage
from shared.images.source import ImageFiles
from shared.images.thumbnails import Thumbnail, thumbnail

LONGEST_PX: Final = 160


def small_picture(images: ImageFiles, name: str) -> Thumbnail | None:
    """Return a picture of at most 160 x 160 pixels, or ``None`` if unreadable.

    Raises:
        StoreUnreachable: the images' store does not answer.
    """
    try:
        return thumbnail(images.content(name), name, LONGEST_PX)
    except CorruptImage:
        return None
