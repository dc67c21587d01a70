"""How the scores of a metric are spread: a mean of 0.6 may be all 0.6, or 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.registry import METRICS
from evaluator.runs.folder import Run

BINS: Final = 20


@dataclass(frozen=True)
class Distribution:
    """One metric: for each run that has it, the share of its scores in each of ``BINS`` bins."""

    metric: str
    shares: Sequence[tuple[str, Sequence[float]]]

    @property
    def highest(self) -> float:
        """Return the largest share, in [0, 1]."""
        return max(max(shares) for _, shares in self.shares)


def spread(scores_N: NDArray[np.float64]) -> list[float]:
    """Return the share of scores in each bin of equal width from 0 to 1; NaN is no score."""
    scored = scores_N[~np.isnan(scores_N)]
    counts, _ = np.histogram(np.clip(scored, 0.0, 1.0), bins=BINS, range=(0.0, 1.0))
    return [float(count) / len(scored) for count in counts]


def distributions(runs: Sequence[Run]) -> list[Distribution]:
    """Return the distributions of the metrics whose spread tells something."""
    drawn = []
    for metric in (name for name in METRICS if METRICS[name].shows_spread):
        shares = [
            (run.name, spread(run.columns[metric]))
            for run in runs
            if metric in run.columns and not np.isnan(run.columns[metric]).all()
        ]
        if shares:
            drawn.append(Distribution(metric, shares))
    return drawn
