"""How sure a difference is: intervals, p-values, and their correction over several metrics.

Pure. Rows about one image are not independent, so images are drawn, as in ``intervals``. Interval
and p-value come from the same draws: p is below 0.05 where the 95 % interval leaves out zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.intervals import SEED, bootstrap_means, percentile_interval

RESAMPLES: Final = 10_000
"""The smallest p-value is 2 in so many."""
CLEAR: Final = 0.05


@dataclass(frozen=True)
class Difference:
    """How much more one run scores than another: the mean over rows, in [-1, 1].

    ``ci95`` is a 95 % interval over images and ``p_value`` that of no difference, two-sided; both
    are ``None`` where there is but one image.
    """

    mean: float
    ci95: tuple[float, float] | None
    p_value: float | None = None

    @property
    def is_clear(self) -> bool:
        """Tell whether the interval leaves out zero."""
        return self.ci95 is not None and not self.ci95[0] <= 0.0 <= self.ci95[1]


@dataclass(frozen=True)
class McNemar:
    """Rows that one of two runs alone has right, and the exact two-sided p-value.

    The test (McNemar 1947) takes rows for independent: where an image has several questions that
    go right or wrong together it is too sure, and the bootstrap over images is the one to believe.
    """

    only_base: int
    only_other: int
    p_value: float


def paired_difference(
    gains_N: NDArray[np.float64],
    images: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Difference:
    """Return the mean of paired differences, bootstrapped over images.

    Args:
        gains_N: for each row, the other run's score less the base's; no NaN.
        images: the image of each row.
        resamples: how many times images are drawn.
        seed: of the draws.

    Raises:
        ValueError: there is no row.
    """
    if not len(gains_N):
        raise ValueError("a difference needs at least one row")
    names, place_N = np.unique(np.asarray(images), return_inverse=True)
    sums_I1 = np.bincount(place_N, weights=gains_N).astype(np.float64)[:, None]
    counts_I1 = np.bincount(place_N).astype(np.float64)[:, None]
    mean = float(gains_N.mean())
    if len(names) < 2:  # noqa: PLR2004 (one image says nothing about others)
        return Difference(mean, None)
    means_R = bootstrap_means(sums_I1, counts_I1, resamples=resamples, seed=seed)[:, 0]
    # The share of resamples on the far side of zero, counting the sample itself once.
    below, above = (means_R <= 0).sum() + 1, (means_R >= 0).sum() + 1
    p_value = min(1.0, 2.0 * float(min(below, above)) / (resamples + 1))
    return Difference(mean, percentile_interval(means_R), p_value)


def mcnemar_exact(right_base_N: NDArray[np.bool_], right_other_N: NDArray[np.bool_]) -> McNemar:
    """Return McNemar's exact test: are rows that one run alone has right evenly divided?"""
    # scipy takes half a second to import, and the other commands do without.
    from scipy.stats import binomtest  # noqa: PLC0415

    only_base = int((right_base_N & ~right_other_N).sum())
    only_other = int((right_other_N & ~right_base_N).sum())
    changed = only_base + only_other
    p_value = float(binomtest(only_other, changed, 0.5).pvalue) if changed else 1.0
    return McNemar(only_base, only_other, p_value)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, (len(p_values) - rank) * p_values[index])
        corrected[index] = min(1.0, largest)
    return corrected
