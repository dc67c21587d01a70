"""Divides images, never rows, into train, validation and test.

A split by row leaks every test image into training. Near-identical images stay on one side too:
``shared.images.likeness`` says which they are.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared.errors import CorruptImage, InputError
from shared.images.likeness import (
    COLOUR_DISTANCE,
    HASH_BITS,
    HASH_DISTANCE,
    Look,
    is_near_identical,
    look_of_file,
)
from shared.progress import report_progress
from shared.records import Split

_BANDS: Final = HASH_DISTANCE + 1
"""By the pigeonhole principle, close hashes agree on at least one of so many bands of bits."""


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
    groups = _group(names, _looks(images_dir, names))
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
    return _group(names, _looks(images_dir, names))


def _looks(images_dir: Path, names: Sequence[str]) -> dict[str, Look]:
    looks: dict[str, Look] = {}

    def named(name: str) -> tuple[str, Look | None]:
        return name, _look(images_dir / name)

    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        report_progress("looking for near-identical images", len(names)) as progress,
    ):
        for name, look in pool.map(named, names):
            if look is not None:
                looks[name] = look
            progress.advance()
    return looks


def _look(path: Path) -> Look | None:
    try:
        return look_of_file(path)
    except CorruptImage:
        return None


def _group(names: Sequence[str], looks: Mapping[str, Look]) -> list[list[str]]:
    parent = {name: name for name in names}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for left, right in _candidates(looks):
        if root(left) != root(right) and is_near_identical(looks[left], looks[right]):
            parent[max(root(left), root(right))] = min(root(left), root(right))
    members: dict[str, list[str]] = defaultdict(list)
    for name in names:
        members[root(name)].append(name)
    return list(members.values())


def _candidates(looks: Mapping[str, Look]) -> Iterator[tuple[str, str]]:
    width = HASH_BITS // _BANDS
    for band in range(_BANDS):
        buckets: dict[tuple[Any, ...], list[str]] = defaultdict(list)
        for name, (value, thumbnail) in looks.items():
            # Flat pictures share hashes by the thousand; a coarse mean colour, in two
            # overlapping grids so that no close pair is cut apart, keeps the buckets small.
            mean = thumbnail.mean()
            for shift in (0.0, COLOUR_DISTANCE):
                cell = int((mean + shift) // (2 * COLOUR_DISTANCE))
                bits = (value >> (band * width)) & ((1 << width) - 1)
                buckets[band, shift, cell, bits].append(name)
        for bucket in buckets.values():
            yield from combinations(bucket, 2)
