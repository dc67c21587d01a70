"""How often an answer depends on its batch, or differs from plain ``generate``, by precision.

    python -m tests.bench.agreement IMAGES QUESTIONS.csv [LIMIT [BUNDLE ...]]

Answers the same questions in batches about up to 12 images, one at a time, and by the model's own
``generate`` on each question alone, and counts what differs: in float32, in bfloat16 (whose 8 bits
of precision round a sum otherwise when its terms stand otherwise, so that a near tie between two
tokens turns), and in 4 bit, computed in float32 as on every CPU. Of exported models, which are
given by their folders, it counts the first two ways, and what differs from float32.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path

import torch

from shared.corpus import read_questions
from shared.images.decoding import open_image
from shared.onnx_vqa.runtime import OnnxVqa
from shared.program.reporting.progress import report_progress
from shared.records import Question
from shared.vqa.answerer import Answerer
from shared.vqa.families import load_answerer
from shared.vqa.names.embedded import EMBEDDED_MODEL
from shared.vqa.quantization import Quantization
from tests.shared.vqa.asking import plain_answer

IMAGES_TOGETHER = 12
QUESTIONS_TOGETHER = 64


@dataclass
class Differences:
    """Answers of a batch that differ from those alone, and from ``generate``; of how many.

    ``confidences`` has the probability of each answer that differs anywhere, in [0, 1].
    """

    asked: int = 0
    from_alone: int = 0
    from_generate: int = 0
    confidences: list[float] = field(default_factory=list)


def count_differences(
    answerer: Answerer, images: Path, questions: Sequence[Question]
) -> Differences:
    """Answer in three ways and count."""
    found = Differences()
    ordered = sorted(questions, key=lambda question: question.filename)
    groups = [list(group) for _, group in groupby(ordered, key=lambda q: q.filename)]
    with report_progress("questions", len(ordered)) as progress:
        for first in range(0, len(groups), IMAGES_TOGETHER):
            part = groups[first : first + IMAGES_TOGETHER]
            pictures = [open_image(images / group[0].filename) for group in part]
            prepared = [answerer.prepare(picture) for picture in pictures]
            asked = [(index, q.text) for index, group in enumerate(part) for q in group]
            memory = answerer.remember(prepared)
            together = answerer.answer(memory, [i for i, _ in asked], [text for _, text in asked])
            for (index, text), answer in zip(asked, together, strict=True):
                [alone] = answerer.answer(answerer.remember([prepared[index]]), [0], [text])
                said = plain_answer(answerer.model, pictures[index], text)
                found.asked += 1
                found.from_alone += alone.text != answer.text
                found.from_generate += said != answer.text
                if {alone.text, said} != {answer.text}:
                    found.confidences.append(answer.confidence)
            progress.advance(len(asked))
    return found


def exported_answers(
    bundle: Path, images: Path, questions: Sequence[Question]
) -> tuple[list[str], list[str]]:
    """Return a bundle's answers to questions 64 together, and alone."""
    model = OnnxVqa(bundle, threads=1)
    together, alone = [], []
    for first in range(0, len(questions), QUESTIONS_TOGETHER):
        part = questions[first : first + QUESTIONS_TOGETHER]
        names = list(dict.fromkeys(question.filename for question in part))
        seen = model.remember([model.prepare(open_image(images / name)) for name in names])
        of_image = [names.index(question.filename) for question in part]
        texts = [question.text for question in part]
        together += [answer.text for answer in model.answer(seen, of_image, texts)]
        for name, text in zip((question.filename for question in part), texts, strict=True):
            [answer] = model.ask(open_image(images / name), text)
            alone.append(answer.text)
    return together, alone


def count_exported(bundles: Sequence[Path], images: Path, questions: Sequence[Question]) -> None:
    """Print one line for each bundle; the first one is what the others are held against."""
    first: list[str] = []
    for bundle in bundles:
        together, alone = exported_answers(bundle, images, questions)
        first = first or alone
        print(
            f"{bundle.name}: of {len(alone)} answers {differing(together, alone)} differ from "
            f"those alone, {differing(alone, first)} from {bundles[0].name}'s",
            flush=True,
        )


def differing(left: Sequence[str], right: Sequence[str]) -> int:
    """Return how many answers are not the same."""
    return sum(one != other for one, other in zip(left, right, strict=True))


def main(images: Path, table: Path, limit: int, bundles: Sequence[Path]) -> None:
    """Print one line for each precision, or for each bundle where there are some."""
    questions = list(islice(read_questions(table).questions, limit))
    if bundles:
        count_exported(bundles, images, questions)
        return
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
        found = count_differences(answerer, images, questions)
        unsure = ", ".join(f"{confidence:.2f}" for confidence in sorted(found.confidences))
        print(
            f"{name}: of {found.asked} answers {found.from_alone} differ from those alone, "
            f"{found.from_generate} from generate's; their probabilities: {unsure or 'none'}",
            flush=True,
        )


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        int(sys.argv[3]) if len(sys.argv) > 3 else 200,
        [Path(folder) for folder in sys.argv[4:]],
    )
