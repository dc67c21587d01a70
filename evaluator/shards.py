"""Cuts questions into shards of whole images, the same ones for any number of replicas."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.records import Question

IMAGE_COST: Final = 4.0
"""What encoding an image costs, in questions: the vision tower against one pass of the text
towers; a rough figure serves, since idle replicas pull the next shard."""
SHARD_COST: Final = 600.0


@dataclass(frozen=True, slots=True)
class Shard:
    """A numbered slice; the questions of an image stand together, images by name."""

    index: int
    questions: tuple[Question, ...]


def cut_shards(questions: Iterable[Question], shard_cost: float = SHARD_COST) -> list[Shard]:
    """Return shards of about ``shard_cost`` each; the order of ``questions`` does not matter."""
    by_image: dict[str, list[Question]] = {}
    for question in sorted(questions, key=lambda q: (q.filename, q.id)):
        by_image.setdefault(question.filename, []).append(question)
    slices: list[list[Question]] = []
    room = 0.0
    for group in by_image.values():
        cost = IMAGE_COST + len(group)
        if not slices or cost > room:
            slices.append([])
            room = shard_cost
        slices[-1].extend(group)
        room -= cost
    return [Shard(index, tuple(part)) for index, part in enumerate(slices)]
