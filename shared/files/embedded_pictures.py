"""Makes files of pictures that stand within tables, their bytes as they are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from shared.files.atomic import atomic_path

_BEGINNINGS: Final[Mapping[bytes, str]] = {
    b"\xff\xd8": ".jpg",
    b"\x89PNG": ".png",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"RIFF": ".webp",
}


def picture_suffix(content: bytes) -> str | None:
    """Return the suffix of a picture's file by how it begins; ``None`` where that is no picture."""
    return next((s for start, s in _BEGINNINGS.items() if content.startswith(start)), None)


def picture_name(content: bytes) -> str:
    """Return what a picture's file is called, wherever it is written: its digest."""
    return f"{hashlib.sha256(content).hexdigest()[:32]}{picture_suffix(content) or '.jpg'}"


def picture_written(content: bytes, folder: Path) -> str:
    """Write a picture below ``folder`` under its digest, unless it is there; return its name.

    Raises:
        InputError: the folder cannot be written to.
        OSError: the disk is full.
    """
    name = picture_name(content)
    path = folder / name
    if not path.exists():
        # Whole or not at all, for it is not written again.
        with atomic_path(path) as part:
            part.write_bytes(content)
    return name
