"""How often an answer depends on its batch, by the precision of the model.

    python -m tests.bench.agreement IMAGES QUESTIONS.csv [LIMIT]

Answers the same questions one at a time and in batches of 64, and counts what differs: in float32,
in bfloat16 (whose 8 bits of precision round a sum otherwise when its terms stand otherwise, so that
a near tie between two tokens turns), and in 4 bit, computed in float32 as on every CPU.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby, islice
from pathlib import Path

import torch

from shared.corpus import read_questions
from shared.image_files import open_image
from shared.records import Question
from shared.vqa.answerer import Answerer
from shared.vqa.families import load_answerer
from shared.vqa.loading import EMBEDDED_MODEL, Quantization


def count_differences(
    answerer: Answerer, images: Path, questions: Sequence[Question]
) -> tuple[int, int]:
    """Return how many answers differ between single questions and batches, and of how many."""
    differing = 0
    ordered = sorted(questions, key=lambda question: question.filename)
    groups = [list(group) for _, group in groupby(ordered, key=lambda q: q.filename)]
    while groups:
        part, groups = groups[:12], groups[12:]
        prepared = [answerer.prepare(open_image(images / group[0].filename)) for group in part]
        asked = [(index, q.text) for index, group in enumerate(part) for q in group]
        memory = answerer.remember(prepared)
        together = answerer.answer(memory, [i for i, _ in asked], [text for _, text in asked])
        for (index, text), answer in zip(asked, together, strict=True):
            alone = answerer.answer(answerer.remember([prepared[index]]), [0], [text])
            differing += alone[0].text != answer.text
    return differing, len(ordered)


def main(images: Path, table: Path, limit: int) -> None:
    """Print one line for each precision."""
    questions = list(islice(read_questions(table).questions, limit))
    for name, quantization, dtype in (
        ("float32", Quantization.NONE, torch.float32),
        ("bfloat16", Quantization.NONE, torch.bfloat16),
        ("nf4", Quantization.NF4, None),
    ):
        answerer = load_answerer(
            EMBEDDED_MODEL, quantization=quantization, device=torch.device("cpu")
        )
        if dtype is not None:
            answerer.model.network.to(dtype)
        differing, count = count_differences(answerer, images, questions)
        print(f"{name}: {differing} of {count} answers differ", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 200)
