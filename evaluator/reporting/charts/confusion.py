"""What is taken for what: the most frequent answers against what the model says instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from evaluator.reporting.small_texts import small_text
from shared.questions.answers import normalise
from shared.records import Prediction

TOP: Final = 10
OTHER: Final = "(other)"


@dataclass(frozen=True)
class ConfusionRow:
    """One reference: how many rows have it, and how often each of the labels is said to it."""

    reference: str
    n: int
    counts: Sequence[int]


@dataclass(frozen=True)
class Confusion:
    """The most frequent references as rows; the same as columns, and one for all other answers."""

    labels: Sequence[str]
    rows: Sequence[ConfusionRow]


def confusion(predictions: Sequence[Prediction], top: int = TOP) -> Confusion:
    """Count answers by reference, both normalised."""
    answered = Counter((normalise(p.pair.answer), normalise(p.answer)) for p in predictions)
    references = Counter(normalise(p.pair.answer) for p in predictions)
    order = sorted(references, key=lambda answer: (-references[answer], answer))[:top]
    rows = []
    for reference in order:
        counts = [answered[reference, answer] for answer in order]
        n = references[reference]
        rows.append(ConfusionRow(small_text(reference), n, [*counts, n - sum(counts)]))
    return Confusion([*map(small_text, order), OTHER], rows)
