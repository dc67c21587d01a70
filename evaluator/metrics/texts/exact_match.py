"""Exact match: whether an answer is the reference, once both are normalised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric, MetricGroup, best_of, of_texts
from evaluator.metrics.rows import each_distinct
from shared.questions.answers import exact_match as same_answer


def exact_match(answers: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
    """Return 1 where the normalised strings are equal, else 0, shape (N,).

    >>> exact_match(["White.", "off-white"], ["white", "white"])
    array([1., 0.])
    """
    return each_distinct(lambda a, r: float(same_answer(a, r)), answers, references)


METRIC: Final = Metric(
    name="exact_match",
    label="Exact match",
    score=best_of(exact_match),
    definition=of_texts(),
    by_default=True,
    groups=frozenset({MetricGroup.ALL}),
    of_constants=True,
)
