"""Whether a model's confidence means anything: how often it is right, by how sure it says it is.

The expected calibration error (Naeini et al. 2015; Guo et al. 2017, arXiv:1706.04599) over bins of
equal width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from evaluator.scoring.coverage import is_right
from shared.records import Prediction

BINS: Final = 10


@dataclass(frozen=True)
class ConfidenceBin:
    """The ``n`` answers whose confidence lies between ``low`` and ``high``; means in [0, 1]."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """Bins that hold an answer, and ``ece``, their mean distance of confidence and accuracy."""

    bins: Sequence[ConfidenceBin]
    ece: float
    n: int


def reliability(predictions: Sequence[Prediction]) -> Reliability | None:
    """Return the reliability of the answers that carry a confidence; ``None`` where none does."""
    sure = [p for p in predictions if p.probability is not None]
    if not sure:
        return None
    sure_N = np.array([p.probability for p in sure], dtype=np.float64)
    right_N = np.array([is_right(p) for p in sure], dtype=np.float64)
    # A confidence of exactly 1 belongs to the last bin.
    place_N = np.minimum((sure_N * BINS).astype(np.int64), BINS - 1)
    bins = []
    for place in range(BINS):
        here_N = place_N == place
        if here_N.any():
            bins.append(
                ConfidenceBin(
                    place / BINS,
                    (place + 1) / BINS,
                    int(here_N.sum()),
                    float(sure_N[here_N].mean()),
                    float(right_N[here_N].mean()),
                )
            )
    ece = sum(part.n * abs(part.confidence - part.accuracy) for part in bins) / len(sure)
    return Reliability(bins, ece, len(sure))
