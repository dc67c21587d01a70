"""Substring: whether one of two answers contains the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric, MetricGroup, best_of, of_texts
from evaluator.metrics.rows import each_distinct
from shared.questions.answers import normalise


def substring(answers: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
    """Return 1 where one normalised string contains the other and neither is empty, else 0.

    >>> substring(["red", "blue"], ["dark red", "red"])
    array([1., 0.])
    """
    return each_distinct(_substring, answers, references)


def _substring(answer: str, reference: str) -> float:
    answered, wanted = normalise(answer).strip(), normalise(reference).strip()
    contained = answered in wanted or wanted in answered
    return float(bool(answered) and bool(wanted) and contained)


METRIC: Final = Metric(
    name="substring",
    label="Substring",
    score=best_of(substring),
    definition=of_texts(),
    groups=frozenset({MetricGroup.ALL}),
    of_constants=True,
)
