"""Rows per second of CSNS: each distinct string embedded once, against every row in batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evaluator.embeddings import SentenceEncoder
from evaluator.model_source import find_text_model
from evaluator.text_models import MINILM
from tests.bench.measure import Comparison, compare

ROWS, DISTINCT = 6_000, 720


def bench_sentence_scores(_: Path) -> list[Comparison]:
    """6,000 rows with the share of distinct answers that real data has (6,000 of 50,000)."""
    random = np.random.default_rng(0)
    vocabulary = np.array([f"answer {number} of the list" for number in range(DISTINCT)])
    # Few answers are frequent and many are rare, as in real data.
    weights = 1 / np.arange(1, DISTINCT + 1)
    answers, references = (
        random.choice(vocabulary, ROWS, p=weights / weights.sum()).tolist() for _ in range(2)
    )
    encoder = SentenceEncoder(find_text_model(MINILM))

    def every_row() -> object:
        # The batches hold 256 rows, in the rows' order.
        return (encoder.embed(answers) * encoder.embed(references)).sum(axis=1)

    def distinct_once() -> object:
        return SentenceEncoder(find_text_model(MINILM)).cosines(answers, references)

    return [compare("CSNS cosines, 6,000 rows", "rows/s", ROWS, every_row, distinct_once, rounds=1)]
