"""Which pictures a report shows: some of each outcome, different pictures first."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from typing import Final

import numpy as np

from evaluator.answering.attention import unpack_attention
from evaluator.comparing.pairing import PairedRows
from evaluator.reporting.heat import HeatMap, heat_map
from evaluator.reporting.small_pictures import small_picture
from evaluator.reporting.small_texts import small_text
from evaluator.runs.folder import Run
from shared.images.source import ImageFiles
from shared.program.reporting.progress import report_progress
from shared.questions.types import question_type
from shared.records.boxes import Box

LIMIT: Final = 200
"""Pictures on a page; with thumbnails of some 5 kB and heat maps, a page of about 2 MB."""

Places = tuple[int, ...]
"""Where one question stands in the predictions of each run."""


class Outcome(StrEnum):
    """What happened to a question from the first run to the last."""

    FIXED = "fixed"
    BROKEN = "broken"
    CORRECT = "correct"
    WRONG = "wrong"


@dataclass(frozen=True)
class ShownAnswer:
    """One run's answer; ``notes`` are how sure it was, and its scores but exact match.

    ``heat`` is where the run looked, ``None`` where that was not kept.
    """

    run: str
    text: str
    is_correct: bool
    notes: Sequence[str]
    heat: HeatMap | None


@dataclass(frozen=True)
class Picture:
    """Where a page finds a picture (a data URI or a relative path), and its size in pixels."""

    href: str
    width: int
    height: int


@dataclass(frozen=True)
class Card:
    """One question with its picture and boxes; ``number`` tells cards of one page apart."""

    number: int
    outcome: Outcome
    filename: str
    question: str
    question_type: str
    reference: str
    answers: Sequence[ShownAnswer]
    picture: Picture | None
    boxes: Sequence[Box]

    @property
    def text(self) -> str:
        """Return what a search looks through, in lower case."""
        texts = (answer.text for answer in self.answers)
        parts = (self.question, self.question_type, self.reference, *texts, self.filename)
        return " ".join(parts).lower()


def outcome_of(*, first: bool, last: bool) -> Outcome:
    """Return what happened to a question, by whether the first run and the last are right."""
    if first:
        return Outcome.CORRECT if last else Outcome.BROKEN
    return Outcome.FIXED if last else Outcome.WRONG


def count_outcomes(runs: Sequence[Run], paired: PairedRows) -> Mapping[Outcome, int]:
    """Count the outcomes of all questions; with one run only right and wrong are listed."""
    counts = Counter(_row_outcome(runs, row) for row in paired.rows)
    listed = list(Outcome) if len(runs) > 1 else [Outcome.CORRECT, Outcome.WRONG]
    return {outcome: counts[outcome] for outcome in listed}


def arrange(runs: Sequence[Run], paired: PairedRows) -> tuple[list[Places], list[Places]]:
    """Return the rows that a page shows, and all others.

    The page shows up to ``LIMIT`` questions, equally of each outcome, and a picture again only
    after all others. The choice depends on the questions alone, so that two reports show the same.
    """
    by_outcome: dict[Outcome, list[Places]] = {outcome: [] for outcome in Outcome}
    for index in np.random.default_rng(0).permutation(len(paired.rows)):
        row = paired.rows[index]
        by_outcome[_row_outcome(runs, row)].append(row)
    # One of each outcome in turn, as long as there are any.
    turns = [row for some in zip_longest(*by_outcome.values()) for row in some if row is not None]
    first: dict[str, Places] = {}
    for row in turns:
        first.setdefault(runs[0].predictions[row[0]].pair.filename, row)
    fresh = set(first.values())
    order = [*first.values(), *(row for row in turns if row not in fresh)]
    return order[:LIMIT], order[LIMIT:]


def choose_cards(
    runs: Sequence[Run], rows: Sequence[Places], images: ImageFiles | None
) -> list[Card]:
    """Return cards with their pictures inside, numbered from 0."""
    cards = []
    with report_progress("pictures for the report", len(rows)) as progress:
        for number, row in enumerate(rows):
            filename = runs[0].predictions[row[0]].pair.filename
            small = None if images is None else small_picture(images, filename)
            picture = None if small is None else Picture(small.uri, small.width, small.height)
            cards.append(card(runs, row, number, picture))
            progress.advance()
    return cards


def _row_outcome(runs: Sequence[Run], row: Places) -> Outcome:
    return outcome_of(first=runs[0].right[row[0]], last=runs[-1].right[row[-1]])


def card(runs: Sequence[Run], row: Places, number: int, picture: Picture | None) -> Card:
    """Return the card of one question."""
    pair = runs[0].predictions[row[0]].pair
    return Card(
        number=number,
        outcome=_row_outcome(runs, row),
        filename=pair.filename,
        question=small_text(pair.question),
        question_type=question_type(pair.question),
        reference=small_text(pair.answer),
        answers=[_answer(run, index) for run, index in zip(runs, row, strict=True)],
        picture=picture,
        boxes=pair.boxes,
    )


def _answer(run: Run, index: int) -> ShownAnswer:
    prediction = run.predictions[index]
    sure = prediction.confidence
    notes = [] if sure is None else [f"sure {sure:.2f}"]
    for name, column in run.shown_scores:
        if not math.isnan(value := column[index]):
            notes.append(f"{name} {value:z.2f}")
    seen = unpack_attention(prediction.attention)
    return ShownAnswer(
        run.name,
        small_text(prediction.answer),
        run.right[index],
        notes,
        None if seen is None else heat_map(seen),
    )
