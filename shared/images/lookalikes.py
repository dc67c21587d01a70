"""Finds, among many pictures, those that are near-identical to one; see ``images.likeness``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from typing import Final, Generic, TypeVar

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

Name = TypeVar("Name", bound=Hashable)
_Bucket = tuple[int, float, int, int]


class Lookalikes(Generic[Name]):
    """Pictures by name, to be asked which of them look like another one."""

    def __init__(self) -> None:
        self._buckets: defaultdict[_Bucket, list[tuple[Name, Look]]] = defaultdict(list)

    def add(self, name: Name, look: Look) -> None:
        """Take in a picture."""
        for bucket in _buckets(look):
            self._buckets[bucket].append((name, look))

    def of(self, look: Look) -> set[Name]:
        """Return the names of the pictures that are near-identical to this one."""
        return {
            name
            for bucket in _buckets(look)
            for name, other in self._buckets.get(bucket, ())
            if is_near_identical(look, other)
        }


def _buckets(look: Look) -> Iterator[_Bucket]:
    # Flat pictures share hashes by the thousand; a coarse mean colour, in two overlapping grids
    # so that no close pair is cut apart, keeps the buckets small.
    mean = float(look.thumbnail.mean())
    for shift in (0.0, COLOUR_DISTANCE):
        cell = int((mean + shift) // (2 * COLOUR_DISTANCE))
        for band in range(_BANDS):
            yield band, shift, cell, (look.hash >> (band * _WIDTH)) & ((1 << _WIDTH) - 1)
