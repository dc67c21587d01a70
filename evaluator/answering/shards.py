"""Cuts questions into shards of whole images, the same ones for any number of replicas.

Of an image with more questions than a death may cost, each part counts as an image of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from shared.records import Question
from shared.records.grouping import by_image

IMAGE_COST: Final = 4.0
"""What encoding an image costs, in questions: the vision tower against one pass of the text
towers; a rough figure serves, since idle replicas pull the next shard."""
SMALLEST_COST: Final = 150.0
"""A shard must keep a GPU busy for much longer than handing it out takes."""
LARGEST_COST: Final = 600.0
"""What a death costs at most: the shard in flight is answered again."""
MOST_OF_AN_IMAGE: Final = int(LARGEST_COST - IMAGE_COST)
"""Questions about one image in a shard."""
SHARDS_WANTED: Final = 64
"""Enough for a few dozen replicas to finish at about the same time."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A numbered slice; the questions of an image stand together, images by name."""

    index: int
    questions: tuple[Question, ...]


def cut_shards(questions: Iterable[Question], shard_cost: float | None = None) -> list[Shard]:
    """Return shards of equal predicted cost, to within one image.

    Each costs at most about ``shard_cost`` questions; where that is not given it depends on how
    many questions there are. Their order does not matter.
    """
    images = by_image(sorted(questions, key=lambda q: (q.filename, q.id))).values()
    groups = [part for image in images for part in _parts(image)]
    total = sum(IMAGE_COST + len(group) for group in groups)
    limit = shard_cost or min(LARGEST_COST, max(SMALLEST_COST, total / SHARDS_WANTED))
    share = total / max(1, math.ceil(total / limit))
    slices: dict[int, list[Question]] = {}
    before = 0.0
    for group in groups:
        cost = IMAGE_COST + len(group)
        # An image belongs to the share that holds its middle.
        slices.setdefault(int((before + cost / 2) / share), []).extend(group)
        before += cost
    return [Shard(index, tuple(part)) for index, part in enumerate(slices.values())]


def _parts(questions: Sequence[Question]) -> Iterator[Sequence[Question]]:
    for first in range(0, len(questions), MOST_OF_AN_IMAGE):
        yield questions[first : first + MOST_OF_AN_IMAGE]
