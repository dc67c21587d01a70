"""Token F1: how many words two answers share, as SQuAD counts it (Rajpurkar et al. 2016)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric, MetricGroup, best_of, of_texts
from evaluator.metrics.rows import each_distinct
from shared.questions.answers import words


def token_f1(answers: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
    """Return the F1 of the two bags of normalised words, shape (N,), in [0, 1].

    Deviation: SQuAD also drops articles; the normalisation of this project keeps them. Two
    answers without any word score 1, one alone scores 0.

    >>> token_f1(["red shoe"], ["a red shoe"])
    array([0.8])
    """
    return each_distinct(_token_f1, answers, references)


def _token_f1(answer: str, reference: str) -> float:
    answered, wanted = words(answer), words(reference)
    if not answered or not wanted:
        return float(answered == wanted)
    common = (Counter(answered) & Counter(wanted)).total()
    return 2 * common / (len(answered) + len(wanted))


METRIC: Final = Metric(
    name="token_f1",
    label="Token F1",
    score=best_of(token_f1),
    definition=of_texts(),
    by_default=True,
    groups=frozenset({MetricGroup.ALL}),
    of_constants=True,
)
