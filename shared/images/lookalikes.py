"""Finds, among many pictures, those that are near-identical to one; see ``images.likeness``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from shared.images.likeness import (
    COLOUR_DISTANCE,
    HASH_BITS,
    HASH_DISTANCE,
    Look,
    is_near_identical,
)

_BANDS: Final = HASH_DISTANCE + 1
"""By the pigeonhole principle, close hashes agree on at least one of so many bands of bits."""
_WIDTH: Final = HASH_BITS // _BANDS

_Bucket = tuple[int, float, int, int]


class Lookalikes:
    """Pictures by name, to be asked which of them look like another one."""

    def __init__(self) -> None:
        self._first: dict[tuple[int, bytes], str] = {}
        self._buckets: defaultdict[_Bucket, list[Look]] = defaultdict(list)

    def add(self, name: str, look: Look) -> None:
        """Take in a picture."""
        same = exact_look(look)
        if same not in self._first:
            for bucket in buckets_of(look):
                self._buckets[bucket].append(look)
        self._first[same] = min(name, self._first.get(same, name))

    def first_of(self, look: Look) -> str | None:
        """Return the first name, in order, of a picture that is near-identical to this one."""
        others = (other for bucket in buckets_of(look) for other in self._buckets.get(bucket, ()))
        alike = (exact_look(other) for other in others if is_near_identical(look, other))
        return min(map(self._first.__getitem__, alike), default=None)


def exact_look(look: Look) -> tuple[int, bytes]:
    """Return what is equal for pictures that look the same to the bit, of which many may be."""
    return look.hash, look.thumbnail.tobytes()


def buckets_of(look: Look) -> Iterator[_Bucket]:
    """Yield keys of which near-identical pictures share at least one."""
    # Flat pictures share hashes by the thousand; a coarse mean colour, in two overlapping grids
    # so that no close pair is cut apart, keeps the buckets small.
    mean = float(look.thumbnail.mean())
    for shift in (0.0, COLOUR_DISTANCE):
        cell = int((mean + shift) // (2 * COLOUR_DISTANCE))
        for band in range(_BANDS):
            yield band, shift, cell, (look.hash >> (band * _WIDTH)) & ((1 << _WIDTH) - 1)
