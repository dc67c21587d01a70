"""Which pictures a report shows: some of each outcome, each picture once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np

from evaluator.metrics import LABELS, Metric
from evaluator.pairing import PairedRows, correct
from evaluator.question_types import question_type
from evaluator.report.thumbnails import thumbnail_uri
from evaluator.run_folder import Run
from shared.records import Prediction

LIMIT: Final = 200
"""Pictures on a page; with thumbnails of some 5 kB, a page of about 1.5 MB."""


class Outcome(StrEnum):
    """What happened to a question from the first run to the last."""

    FIXED = "fixed"
    BROKEN = "broken"
    CORRECT = "correct"
    WRONG = "wrong"


@dataclass(frozen=True)
class Answer:
    """One run's answer; ``scores`` are the labels and values of the metrics but exact match."""

    run: str
    text: str
    is_correct: bool
    scores: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Card:
    """One question with its picture (a data URI, or ``None`` where there is none)."""

    outcome: Outcome
    filename: str
    question: str
    question_type: str
    reference: str
    answers: Sequence[Answer]
    picture: str | None


def outcome_of(first: Prediction, last: Prediction) -> Outcome:
    """Return what happened to a question; with a single run both arguments are the same."""
    if correct(first):
        return Outcome.CORRECT if correct(last) else Outcome.BROKEN
    return Outcome.FIXED if correct(last) else Outcome.WRONG


def count_outcomes(runs: Sequence[Run], paired: PairedRows) -> Mapping[Outcome, int]:
    """Count the outcomes of all questions; with one run only right and wrong are listed."""
    counts = Counter(_row_outcome(runs, row) for row in paired.rows)
    listed = list(Outcome) if len(runs) > 1 else [Outcome.CORRECT, Outcome.WRONG]
    return {outcome: counts[outcome] for outcome in listed}


def choose_cards(runs: Sequence[Run], paired: PairedRows, images: Path | None) -> list[Card]:
    """Choose up to ``LIMIT`` questions, equally of each outcome, and no picture twice.

    The choice depends on the questions alone, so that two reports show the same.
    """
    generator = np.random.default_rng(0)
    by_outcome: defaultdict[Outcome, list[tuple[int, ...]]] = defaultdict(list)
    for index in generator.permutation(len(paired.rows)):
        row = paired.rows[index]
        by_outcome[_row_outcome(runs, row)].append(row)
    queues = [iter(by_outcome[outcome]) for outcome in Outcome if by_outcome[outcome]]
    chosen: list[tuple[int, ...]] = []
    seen: set[str] = set()
    while queues and len(chosen) < LIMIT:
        queue = queues.pop(0)
        for row in queue:
            name = runs[0].predictions[row[0]].pair.filename
            if name not in seen:
                seen.add(name)
                chosen.append(row)
                queues.append(queue)
                break
    return [_card(runs, row, images) for row in chosen]


def _row_outcome(runs: Sequence[Run], row: tuple[int, ...]) -> Outcome:
    return outcome_of(runs[0].predictions[row[0]], runs[-1].predictions[row[-1]])


def _card(runs: Sequence[Run], row: tuple[int, ...], images: Path | None) -> Card:
    pair = runs[0].predictions[row[0]].pair
    return Card(
        outcome=_row_outcome(runs, row),
        filename=pair.filename,
        question=pair.question,
        question_type=question_type(pair.question),
        reference=pair.answer,
        answers=[_answer(run, index) for run, index in zip(runs, row, strict=True)],
        picture=None if images is None else thumbnail_uri(images / pair.filename),
    )


def _answer(run: Run, index: int) -> Answer:
    prediction = run.predictions[index]
    scores = [
        (LABELS.get(name, name), float(column[index]))
        for name, column in run.columns.items()
        if name != Metric.EXACT_MATCH and not np.isnan(column[index])
    ]
    return Answer(run.name, prediction.answer, correct(prediction), scores)
