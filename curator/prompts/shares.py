"""Shares of questions and images, drawn by the image alone, always the same; pure."""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

Name = TypeVar("Name")


def draw(salt: str, image: str) -> float:
    """Return a number in [0, 1) that is as good as random, and always the same for these two."""
    digest = hashlib.blake2b(f"{salt}\0{image}".encode(errors="surrogatepass"), digest_size=6)
    return int.from_bytes(digest.digest(), "big") / 2**48


def allotted(shares: Mapping[Name, float], count: int, place: float) -> dict[Name, int]:
    """Return how many of ``count`` each share has; those that have none are left out.

    Systematic sampling (Madow 1949): with ``place`` drawn evenly from [0, 1), each has its share
    on average, and never more than one away from it.

    >>> allotted({"colour": 0.5, "count": 0.3, "why": 0.2}, 4, 0.1)
    {'colour': 2, 'count': 1, 'why': 1}
    """
    total = sum(shares.values())
    ends = [math.floor(end / total * count + place) for end in accumulate(shares.values())]
    # The last one takes all, whatever rounding made of the sum.
    ends[-1] = count
    starts = [0, *ends[:-1]]
    counts = {name: end - start for name, start, end in zip(shares, starts, ends, strict=True)}
    return {name: number for name, number in counts.items() if number}


def chosen(shares: Sequence[tuple[Name, float]], place: float) -> Name:
    """Return whose turn it is at ``place`` in [0, 1)."""
    ends = list(accumulate(share for _, share in shares))
    at = bisect_right(ends, place * ends[-1])
    return shares[min(at, len(shares) - 1)][0]
