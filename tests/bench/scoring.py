"""Rows per second of scoring: each distinct string and pair once, against every row in batches."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
from bert_score.utils import bert_cos_score_idf
from sentence_transformers import SentenceTransformer

from evaluator.metrics.text_models.bertscore import BertScorer
from evaluator.metrics.text_models.embeddings import BATCH, SentenceEncoder
from evaluator.metrics.text_models.model_source import find_text_model
from evaluator.metrics.text_models.names import MINILM
from shared.program.clock import stopwatch
from tests.bench.measure import Comparison, compare

ROWS, DISTINCT = 50_000, 6_000
"""What published predictions about the ABO hold."""
PAIR_ROWS = 10_000
COSINE_ROUNDS = 1
IMAGES = 10_000


def bench_sentence_scores(folder: Path) -> list[Comparison]:
    """Cosines of 50,000 rows with 6,000 distinct answers, BERTScore, and the whole command."""
    answers, references = rows_of_answers()
    found: dict[str, np.ndarray] = {}
    # Both sides have their model loaded; ours has a new one each round, since it remembers.
    source = find_text_model(MINILM)
    library = SentenceTransformer(str(source.folder))
    fresh = [SentenceEncoder(source) for _ in range(COSINE_ROUNDS)]

    def embed(texts: list[str]) -> np.ndarray:
        return library.encode(
            texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
        )

    def every_row() -> object:
        found["every"] = (embed(answers) * embed(references)).sum(axis=1)
        return found

    def distinct_once() -> object:
        found["once"] = fresh.pop().cosines(answers, references)
        return found

    cosines = compare(
        f"CSNS cosines, {ROWS:,} rows", "rows/s", ROWS, every_row, distinct_once, COSINE_ROUNDS
    )
    np.testing.assert_allclose(found["once"], found["every"], atol=2e-6)
    started = stopwatch()
    _score_file(folder, answers, references)
    command = Comparison(
        f"whole `evaluator score`, {ROWS:,} rows, against the cosines of every row",
        "rows/s",
        cosines.reference,
        ROWS / (stopwatch() - started),
    )
    return [cosines, command, _bertscore(answers[-PAIR_ROWS:], references[-PAIR_ROWS:])]


def rows_of_answers() -> tuple[list[str], list[str]]:
    """Return answers and references of 50,000 rows."""
    random = np.random.default_rng(0)
    vocabulary = np.array([f"answer {number}" for number in range(DISTINCT)])
    # Few answers are frequent and many are rare, as in real data; half of the answers are right.
    weights = 1 / np.arange(1, DISTINCT + 1)
    drawn = random.choice(vocabulary, (2, ROWS), p=weights / weights.sum())
    drawn[0, :DISTINCT] = vocabulary
    right = random.random(ROWS) < 0.5
    right[:DISTINCT] = False
    return np.where(right, drawn[1], drawn[0]).tolist(), drawn[1].tolist()


def _score_file(folder: Path, answers: list[str], references: list[str]) -> object:
    path = folder / "predictions.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "question", "answer", "generated_answer"])
        for place, row in enumerate(zip(references, answers, strict=True)):
            writer.writerow([f"{place % IMAGES}.jpg", f"what is it {place // IMAGES}", *row])
    command = [sys.executable, "-m", "evaluator", "score", str(path)]
    options = ["--metrics", "exact_match,csns", "--out", str(folder / "run")]
    return subprocess.run([*command, *options], check=True, capture_output=True)


def _bertscore(answers: list[str], references: list[str]) -> Comparison:
    found: dict[str, np.ndarray] = {}
    scorer, fresh = (BertScorer(find_text_model(MINILM)) for _ in range(2))

    def every_row() -> object:
        weights = dict.fromkeys(range(len(scorer._tokenizer)), 1.0)
        weights |= {scorer._tokenizer.cls_token_id: 0.0, scorer._tokenizer.sep_token_id: 0.0}
        found["every"] = bert_cos_score_idf(
            scorer._model,
            references,
            answers,
            scorer._tokenizer,
            weights,
            batch_size=256,
            device=scorer.device,
        )[:, 2].numpy()
        return found

    def distinct_once() -> object:
        found["once"] = fresh.f1(answers, references)
        return found

    result = compare(
        f"BERTScore, {len(answers):,} rows",
        "rows/s",
        len(answers),
        every_row,
        distinct_once,
        rounds=1,
    )
    np.testing.assert_allclose(found["once"], found["every"], atol=1e-5)
    return result
