"""Which files are pictures, by their names' endings: the one list of them.

What a file's content may be stands in ``shared.images.pixels``.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

SUFFIXES: Final = frozenset(
    {
        *(".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".mpo"),
        *(".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"),
    }
)
"""Endings, in lower case, of files that are taken for pictures."""

UNREAD_SUFFIXES: Final = frozenset(
    {
        *(".arw", ".cr2", ".cr3", ".dng", ".eps", ".heic", ".heif", ".ico", ".jxl", ".nef"),
        *(".orf", ".psd", ".raw", ".rw2", ".svg"),
    }
)
"""Endings of files that are pictures too, but of formats that are not decoded."""

CONVERT: Final = "convert such files to JPEG or PNG first"
"""The way out, for messages about ``UNREAD_SUFFIXES``."""


def is_picture(path: PurePath) -> bool:
    """Return whether a file's name says that it is a picture of a format that is decoded."""
    return path.suffix.lower() in SUFFIXES


def is_unread_picture(path: PurePath) -> bool:
    """Return whether a file's name says that it is a picture of a format that is not decoded."""
    return path.suffix.lower() in UNREAD_SUFFIXES
