"""The cell that each prediction is counted in: its unit, and the groups that it belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from evaluator.scoring.figures import FREQUENCIES
from evaluator.scoring.sums.tally import Cell
from shared.dataset.units import units_of
from shared.questions.answers import normalise
from shared.questions.types import question_type
from shared.records import Prediction

_FREQUENCY_BOUNDS: Final = (10, 100)
"""How many answers are the frequent ones, and how many those and the common ones together."""


def cells_of(predictions: Sequence[Prediction]) -> list[Cell]:
    """Return the cell of each prediction; how frequent a reference is, is counted among them."""
    normal = {answer: normalise(answer) for answer in {p.pair.answer for p in predictions}}
    references = [normal[p.pair.answer] for p in predictions]
    counts = Counter(references)
    order = sorted(counts, key=lambda answer: (-counts[answer], answer))
    rank = {answer: index for index, answer in enumerate(order)}
    kinds = {text: question_type(text) for text in {p.pair.question for p in predictions}}
    units = units_of(p.pair for p in predictions)
    return [
        Cell(
            units[p.pair.filename],
            kinds[p.pair.question],
            FREQUENCIES[sum(rank[reference] >= bound for bound in _FREQUENCY_BOUNDS)],
            p.pair.agreement,
            p.pair.domain,
        )
        for p, reference in zip(predictions, references, strict=True)
    ]
