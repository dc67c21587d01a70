"""Divides images, never rows, into train, validation and test.

A split by row leaks every test image into training. Near-identical images stay on one side too:
two images belong together when their perceptual hashes differ in at most ``HASH_DISTANCE`` bits
and their thumbnails, which keep the colour that the hash drops, by at most ``COLOUR_DISTANCE``.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.errors import InputError
from shared.progress import report_progress
from shared.records import Split

HASH_DISTANCE: Final = 3
"""Bits of 64 (pHash; imagehash.phash)."""
COLOUR_DISTANCE: Final = 4.0
"""Mean absolute difference of 8 x 8 RGB thumbnails, in grey levels of 256."""
_BANDS: Final = HASH_DISTANCE + 1
"""By the pigeonhole principle, close hashes agree on at least one of so many bands of bits."""

Signature = tuple[int, NDArray[np.int16]]


def split_by_image(
    images_dir: Path,
    filenames: Sequence[str],
    *,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    seed: int = 0,
) -> dict[str, Split]:
    """Return the split of each file name, near-identical images together.

    ``fractions`` are the shares of train, validation and test by number of images. The result
    depends on the seed, the images and their names alone, not on their order. An image that
    cannot be read is a group of its own.

    Raises:
        InputError: the fractions are negative or do not add up to 1.
    """
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:  # noqa: PLR2004
        raise InputError(f"split fractions {fractions}: give three shares that add up to 1")
    names = sorted(set(filenames))
    groups = _group(names, _signatures(images_dir, names))
    order = np.random.default_rng(seed).permutation(len(groups))
    bounds = np.cumsum(fractions) * len(names)
    assigned: dict[str, Split] = {}
    for index in order:
        group = groups[index]
        # A group goes where its middle falls, so that rounding favours no side.
        position = len(assigned) + len(group) / 2
        split: Split = (
            "train" if position <= bounds[0] else "validation" if position <= bounds[1] else "test"
        )
        assigned.update(dict.fromkeys(group, split))
    return assigned


def near_identical_groups(images_dir: Path, filenames: Sequence[str]) -> list[list[str]]:
    """Return the groups, each sorted, that near-identical images form; most hold one image."""
    names = sorted(set(filenames))
    return _group(names, _signatures(images_dir, names))


def _signatures(images_dir: Path, names: Sequence[str]) -> dict[str, Signature]:
    found: dict[str, Signature] = {}

    def one(name: str) -> tuple[str, Signature | None]:
        return name, _signature(images_dir / name)

    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        report_progress("looking for near-identical images", len(names)) as progress,
    ):
        for name, signature in pool.map(one, names):
            if signature is not None:
                found[name] = signature
            progress.advance()
    return found


def _signature(path: Path) -> Signature | None:
    try:
        with Image.open(path) as image:
            picture = image.convert("RGB")
            bits = imagehash.phash(picture).hash.ravel()
            thumbnail = picture.resize((8, 8), Image.Resampling.BOX)
    except OSError:
        return None
    value = int("".join("1" if bit else "0" for bit in bits), 2)
    return value, np.asarray(thumbnail, dtype=np.int16)


def _group(names: Sequence[str], signatures: Mapping[str, Signature]) -> list[list[str]]:
    parent = {name: name for name in names}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for left, right in _candidates(signatures):
        if root(left) != root(right) and _near(signatures[left], signatures[right]):
            parent[max(root(left), root(right))] = min(root(left), root(right))
    members: dict[str, list[str]] = defaultdict(list)
    for name in names:
        members[root(name)].append(name)
    return list(members.values())


def _candidates(signatures: Mapping[str, Signature]) -> Iterator[tuple[str, str]]:
    width = 64 // _BANDS
    for band in range(_BANDS):
        buckets: dict[tuple[Any, ...], list[str]] = defaultdict(list)
        for name, (value, thumbnail) in signatures.items():
            # Flat pictures share hashes by the thousand; a coarse mean colour, in two
            # overlapping grids so that no close pair is cut apart, keeps the buckets small.
            mean = thumbnail.mean()
            for shift in (0.0, COLOUR_DISTANCE):
                cell = int((mean + shift) // (2 * COLOUR_DISTANCE))
                bits = (value >> (band * width)) & ((1 << width) - 1)
                buckets[band, shift, cell, bits].append(name)
        for bucket in buckets.values():
            yield from combinations(bucket, 2)


def _near(left: Signature, right: Signature) -> bool:
    if (left[0] ^ right[0]).bit_count() > HASH_DISTANCE:
        return False
    return float(np.abs(left[1] - right[1]).mean()) <= COLOUR_DISTANCE
