"""GQA accuracy (Hudson and Manning 2019): the answer is the reference, letter by letter.

Source: eval.py of the data set, as of 2026-11, which compares the strings as they stand; answers of
GQA are in small letters without marks. A model that says "Yes." scores 0 here; ``exact_match``
forgives that. Its consistency, validity, plausibility and distribution need GQA's own files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric, best_of


def gqa(answers: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
    """Return 1 where the strings are equal, else 0, shape (N,).

    >>> gqa(["yes", "Yes"], ["yes", "yes"])
    array([1., 0.])
    """
    return np.array([a == r for a, r in zip(answers, references, strict=True)], dtype=np.float64)


METRIC: Final = Metric(
    name="gqa",
    label="GQA accuracy",
    score=best_of(gqa),
    definition=lambda _models, _provenance: "the strings as they stand",
)
