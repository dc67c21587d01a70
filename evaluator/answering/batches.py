"""Batches of images with their questions, decoded and prepared ahead of the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from shared.records import Question

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
    prepare: Callable[[str, str], Any | None],
    *,
    threads: int,
    batch_size: int,
    images_at_once: int,
) -> Iterator[Batch]:
    """Yield all questions, those of an image together.

    Args:
        questions: in any order.
        prepare: makes of an image's name, and of how it is shown, what the model takes, or ``None``
            of a broken one; called once for each, in threads, one batch ahead of the caller.
        threads: how many images are prepared at the same time.
        batch_size: how many questions a batch has at most, unless one image has more.
        images_at_once: how many images a batch has at most.
    """
    groups = list(_grouped(_by_picture(questions), batch_size, images_at_once))
    with ThreadPoolExecutor(threads) as pool:
        # One batch ahead of the model: memory stays bounded whatever the shard's size.
        ahead = [_begun(pool, prepare, group) for group in groups[:1]]
        for position, group in enumerate(groups):
            if position + 1 < len(groups):
                ahead.append(_begun(pool, prepare, groups[position + 1]))
            yield _batch(group, list(ahead.pop(0)))


_Picture = tuple[str, str]
"""An image's name, and how it is shown."""
_ImageGroup = list[tuple[_Picture, list[Question]]]


def _begun(
    pool: ThreadPoolExecutor, prepare: Callable[[str, str], Any | None], group: _ImageGroup
) -> Iterator[Any | None]:
    """Have threads prepare the pictures of a group."""
    names, views = zip(*(picture for picture, _ in group), strict=True)
    return pool.map(prepare, names, views)


def _by_picture(questions: Sequence[Question]) -> dict[_Picture, list[Question]]:
    groups: dict[_Picture, list[Question]] = {}
    for question in questions:
        groups.setdefault((question.filename, question.view), []).append(question)
    return groups


def _grouped(
    of_images: Mapping[_Picture, list[Question]], batch_size: int, images_at_once: int
) -> Iterator[_ImageGroup]:
    """Cut images into batches by both costs: their questions, and what is kept of each image."""
    group: _ImageGroup = []
    size = 0
    for picture, questions in of_images.items():
        full = size + len(questions) > batch_size or len(group) == images_at_once
        if group and full:
            yield group
            group, size = [], 0
        group.append((picture, questions))
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
