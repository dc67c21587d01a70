"""What tells a picture again under another name, in another folder or encoded anew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from shared.errors import CorruptImage
from shared.images.decoding import decode_image, large_pictures_in_turn
from shared.images.likeness import Look, look_of
from shared.images.source import ImageFiles, ImageFolder
from shared.program.reporting.progress import report_progress
from shared.value_class import value_class

DIGEST_BYTES: Final = 16
"""Half of SHA-256: enough to tell files apart, and small beside the weights."""


@value_class
class Fingerprint:
    """The digest of a file's bytes, and how it looks; ``None`` where it cannot be decoded."""

    digest: bytes
    look: Look | None


def fingerprints(source: ImageFiles, names: Iterable[str]) -> dict[str, Fingerprint]:
    """Return the fingerprint of each image that is there, in order of their names.

    Raises:
        StoreUnreachable: nobody knows whether an image is there.
    """
    ordered = sorted(set(names))
    prints: dict[str, Fingerprint] = {}

    def look_at(name: str) -> tuple[str, Fingerprint | None]:
        return name, _fingerprint(source, name)

    with (
        ThreadPoolExecutor(source.reads_at_once) as pool,
        report_progress("looking for near-identical images", len(ordered)) as progress,
    ):
        for name, fingerprint in pool.map(look_at, ordered):
            if fingerprint is not None:
                prints[name] = fingerprint
            progress.advance()
    return prints


def looks_in(folder: Path, names: Iterable[str]) -> dict[str, Look]:
    """Return how those images below a folder look that are there and can be decoded."""
    return looks_of(fingerprints(ImageFolder(folder), names))


def looks_of(prints: Mapping[str, Fingerprint]) -> dict[str, Look]:
    """Return how those images look that could be decoded."""
    return {
        name: fingerprint.look
        for name, fingerprint in prints.items()
        if fingerprint.look is not None
    }


def _fingerprint(source: ImageFiles, name: str) -> Fingerprint | None:
    try:
        content = source.content(name)
    except CorruptImage:
        return None
    digest = hashlib.sha256(content).digest()[:DIGEST_BYTES]
    try:
        with large_pictures_in_turn():
            return Fingerprint(digest, look_of(decode_image(content, name)))
    except CorruptImage:
        return Fingerprint(digest, None)
