"""Batches of images with their questions, decoded and prepared ahead of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from shared.records import Question
from shared.records.grouping import by_image

QUESTIONS_PER_IMAGE: Final = 4
"""How many questions of a batch pay for one image in it: what is kept of an image is much larger
than what a question needs, so that a batch of 64 questions holds 16 images at most."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Readable images, each with its questions; and the questions of broken ones.

    What an image is prepared to is its family's own affair.
    """

    images: tuple[Any, ...]
    questions: tuple[tuple[Question, ...], ...]
    broken: tuple[Question, ...]


def batches(
    questions: Sequence[Question],
    prepare: Callable[[str], Any | None],
    *,
    threads: int,
    batch_size: int,
    images_at_once: int,
) -> Iterator[Batch]:
    """Yield all questions, those of an image together.

    Args:
        questions: in any order.
        prepare: makes of an image's name what the model takes, or ``None`` of a broken one; called
            once for each image, in threads, one batch ahead of the caller.
        threads: how many images are prepared at the same time.
        batch_size: how many questions a batch has at most, unless one image has more.
        images_at_once: how many images a batch has at most.
    """
    groups = list(_grouped(by_image(questions), batch_size, images_at_once))
    with ThreadPoolExecutor(threads) as pool:
        # One batch ahead of the model: memory stays bounded whatever the shard's size.
        ahead = [pool.map(prepare, [name for name, _ in group]) for group in groups[:1]]
        for position, group in enumerate(groups):
            if position + 1 < len(groups):
                names = [name for name, _ in groups[position + 1]]
                ahead.append(pool.map(prepare, names))
            yield _batch(group, list(ahead.pop(0)))


_ImageGroup = list[tuple[str, list[Question]]]


def _grouped(
    of_images: Mapping[str, list[Question]], batch_size: int, images_at_once: int
) -> Iterator[_ImageGroup]:
    """Cut images into batches by both costs: their questions, and what is kept of each image."""
    group: _ImageGroup = []
    size = 0
    for name, questions in of_images.items():
        full = size + len(questions) > batch_size or len(group) == images_at_once
        if group and full:
            yield group
            group, size = [], 0
        group.append((name, questions))
        size += len(questions)
    if group:
        yield group


def _batch(group: _ImageGroup, prepared: Sequence[Any | None]) -> Batch:
    readable = [
        (image, tuple(questions))
        for (_, questions), image in zip(group, prepared, strict=True)
        if image is not None
    ]
    broken = [
        question
        for (_, questions), image in zip(group, prepared, strict=True)
        if image is None
        for question in questions
    ]
    return Batch(
        tuple(image for image, _ in readable),
        tuple(questions for _, questions in readable),
        tuple(broken),
    )
