"""Risk against coverage: how often a model is right if it may leave out what it is least sure of.

Selective classification (El-Yaniv and Wiener, JMLR 11, 2010; Geifman and El-Yaniv 2017). At a
coverage of 80 % the surest four fifths of the answers count, the rest is left to a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.scoring.sums.intervals import percentile_interval, resampled_counts
from shared.questions.answers import exact_match
from shared.records import Prediction

COVERAGES: Final = (0.5, 0.8, 0.9)
_RESAMPLES: Final = 1000
_POINTS: Final = 50
_SEED: Final = 0


@dataclass(frozen=True)
class AtCoverage:
    """Exact match among the surest ``n`` answers; ``ci95`` by units, each draw chosen anew."""

    coverage: float
    accuracy: float
    n: int
    ci95: tuple[float, float] | None


@dataclass(frozen=True)
class Surest:
    """N answers from the surest to the least sure, with whether each is right, and its unit.

    Answers that are equally sure stand in an order that a seed alone decides.
    """

    confidence_N: NDArray[np.float64]
    right_N: NDArray[np.float64]
    unit_N: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        predictions: Sequence[Prediction],
        units: Sequence[str],
        right_N: NDArray[np.float64] | None = None,
    ) -> Surest | None:
        """Sort predictions; ``None`` where none has a confidence.

        An answer without one, such as to a broken picture, is the least sure of all. ``right_N``
        says which are right, where that is not exact match.
        """
        said = [prediction.probability for prediction in predictions]
        if all(probability is None for probability in said):
            return None
        sure_N = np.array([-1.0 if probability is None else probability for probability in said])
        if right_N is None:
            right_N = np.array([is_right(row) for row in predictions], dtype=np.float64)
        _, unit_N = np.unique(np.asarray(units), return_inverse=True)
        drawn_N = np.random.default_rng(_SEED).permutation(len(sure_N))
        order = np.lexsort((drawn_N, -sure_N))
        return cls(sure_N[order], right_N[order], unit_N[order])

    def curve(self) -> list[tuple[float, float]]:
        """Return coverage and accuracy at some points, from few answers to all."""
        total = len(self.right_N)
        counts = np.unique(np.linspace(max(1, total // _POINTS), total, _POINTS).astype(np.int64))
        means_N = np.cumsum(self.right_N) / np.arange(1, total + 1)
        return [(float(count / total), float(means_N[count - 1])) for count in counts]


def is_right(prediction: Prediction) -> bool:
    """Tell whether an answer equals its reference once normalised, and its picture was seen."""
    return not prediction.is_unanswered and exact_match(prediction.answer, prediction.pair.answer)


def accuracy_at(surest: Surest, coverages: Sequence[float] = COVERAGES) -> tuple[AtCoverage, ...]:
    """Return the accuracy of the surest share of the answers, for each of some shares."""
    total = len(surest.right_N)
    units = int(surest.unit_N.max()) + 1
    shares_C = np.asarray(coverages)
    counts = [max(1, int(np.ceil(share * total - 1e-9))) for share in coverages]
    drawn_RC = (
        np.concatenate(
            [
                _accuracies(times_RU.take(surest.unit_N, axis=1), surest.right_N, shares_C)
                for times_RU in resampled_counts(units, resamples=_RESAMPLES)
            ]
        )
        if units > 1
        else None
    )
    return tuple(
        AtCoverage(
            share,
            float(surest.right_N[:count].mean()),
            count,
            None if drawn_RC is None else percentile_interval(drawn_RC[:, place]),
        )
        for place, (share, count) in enumerate(zip(coverages, counts, strict=True))
    )


def _accuracies(
    times_RN: NDArray[np.float64], right_N: NDArray[np.float64], shares_C: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the accuracy of the surest shares of R resamples, shape (R, C)."""
    counted_RN = np.cumsum(times_RN, axis=1)
    right_RN = np.cumsum(times_RN * right_N, axis=1)
    found_RC = np.empty((len(times_RN), len(shares_C)))
    for row, (counted_N, of_right_N) in enumerate(zip(counted_RN, right_RN, strict=True)):
        ends = np.searchsorted(counted_N, np.maximum(1, shares_C * counted_N[-1] - 1e-9))
        found_RC[row] = of_right_N[ends] / counted_N[ends]
    return found_RC
