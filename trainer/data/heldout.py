"""Exact match on images that training does not see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from shared.images.decoding import large_pictures_in_turn, open_image
from shared.program.reporting.progress import report_progress
from shared.questions.answers import exact_match
from shared.records import QAPair
from shared.records.grouping import by_image
from shared.vqa.answerer import Answerer

Recollection = Callable[[Sequence[str]], object]
"""Returns what an answerer remembers of the images with these file names."""


def seen_anew(answerer: Answerer[Any, Any], images_dir: Path) -> Recollection:
    """Return what decodes and encodes the images of every request."""

    def prepare(name: str) -> object:
        with large_pictures_in_turn():
            return answerer.prepare(open_image(images_dir / name))

    def remember(names: Sequence[str]) -> object:
        with ThreadPoolExecutor() as pool:
            return answerer.remember(list(pool.map(prepare, names)))

    return remember


@torch.no_grad()
def held_out_exact_match(
    answerer: Answerer[Any, Any],
    remember: Recollection,
    pairs: Sequence[QAPair],
    batch_size: int,
    told: str = "held-out exact match",
) -> float:
    """Return the share of ``pairs`` answered exactly, in [0, 1]; batches hold whole images.

    Progress goes by the name ``told``.
    """
    correct = 0
    answerer.model.network.eval()
    with report_progress(told, len(pairs)) as progress:
        for batch in _whole_images(pairs, batch_size):
            names = list(dict.fromkeys(pair.filename for pair in batch))
            rows = {name: row for row, name in enumerate(names)}
            answers = answerer.answer(
                remember(names),
                [rows[pair.filename] for pair in batch],
                [pair.question for pair in batch],
            )
            correct += sum(
                exact_match(answer.text, pair.answer)
                for answer, pair in zip(answers, batch, strict=True)
            )
            progress.advance(len(batch))
    return correct / len(pairs)


def _whole_images(pairs: Sequence[QAPair], batch_size: int) -> Iterable[list[QAPair]]:
    batch: list[QAPair] = []
    for group in by_image(pairs).values():
        if batch and len(batch) + len(group) > batch_size:
            yield batch
            batch = []
        batch.extend(group)
    if batch:
        yield batch
