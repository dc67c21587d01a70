"""Levenshtein: how few characters have to change to make one answer the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from evaluator.metrics.metric import Metric, MetricGroup, best_of, of_texts
from evaluator.metrics.rows import each_distinct
from shared.questions.answers import normalise


def levenshtein(answers: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
    """Return 1 minus the edit distance divided by the longer length; 1 for two empty strings.

    >>> levenshtein(["shoe"], ["shoes"])
    array([0.8])
    """
    return each_distinct(
        lambda a, r: Levenshtein.normalized_similarity(normalise(a), normalise(r)),
        answers,
        references,
    )


METRIC: Final = Metric(
    name="levenshtein",
    label="Levenshtein",
    score=best_of(levenshtein),
    definition=of_texts(),
    groups=frozenset({MetricGroup.ALL}),
    of_constants=True,
)
