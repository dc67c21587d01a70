"""Exact match on images that training does not see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from shared.answers import exact_match
from shared.progress import report_progress
from shared.records import QAPair
from shared.vqa.blip.inference import answer_questions, memory_of
from shared.vqa.loading import LoadedModel
from trainer.features import ImageFeatures


@torch.no_grad()
def held_out_exact_match(
    model: LoadedModel, features: ImageFeatures, pairs: Sequence[QAPair], batch_size: int
) -> float:
    """Return the share of ``pairs`` answered exactly, in [0, 1]; batches hold whole images."""
    correct = 0
    model.blip.eval()
    with report_progress("held-out exact match", len(pairs)) as progress:
        for batch in _whole_images(pairs, batch_size):
            names = list(dict.fromkeys(pair.filename for pair in batch))
            rows = {name: row for row, name in enumerate(names)}
            answers = answer_questions(
                model,
                memory_of(model, features.of(names)),
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
    by_image: dict[str, list[QAPair]] = {}
    for pair in pairs:
        by_image.setdefault(pair.filename, []).append(pair)
    batch: list[QAPair] = []
    for group in by_image.values():
        if batch and len(batch) + len(group) > batch_size:
            yield batch
            batch = []
        batch.extend(group)
    if batch:
        yield batch
