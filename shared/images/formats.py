"""Which files are pictures: the one list of formats and file names' endings.

Formats whose decoders start other programs (EPS) or only know a preview (PSD, ICO) are left out.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

FORMATS: Final = (
    "JPEG",
    "PNG",
    "WEBP",
    "GIF",
    "BMP",
    "TIFF",
    "AVIF",
    "JPEG2000",
    "PPM",
)
"""What is decoded, by Pillow's names; an MPO of a phone or a stereo camera is a JPEG."""

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
