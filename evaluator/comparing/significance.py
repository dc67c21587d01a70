"""How sure a difference is: intervals, p-values, and their correction over several metrics.

Pure. Rows of one unit, such as a product, are not independent, so units are drawn, as in
``intervals``, and change sides together in the test. Interval and p-value come from the same
draws: p is below 0.05 where the 95 % interval leaves out zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.scoring.sums.intervals import (
    SEED,
    Part,
    bootstrap_sums,
    means_of,
    percentile_interval,
)

RESAMPLES: Final = 10_000
"""The smallest p-value is 2 in so many."""
CLEAR: Final = 0.05


@dataclass(frozen=True)
class Difference:
    """How much more one run scores than another: the mean over rows, in [-1, 1].

    ``ci95`` is a 95 % interval over units and ``p_value`` that of no difference, two-sided; both
    are ``None`` where there is but one unit.
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

    McNemar (1947) asks whether they are evenly divided, each row for itself. Rows of one unit go
    right or wrong together, so here they change sides together: the p-value is that of all ways to
    swap the runs in some units. Where each unit has one row it is McNemar's.
    """

    only_base: int
    only_other: int
    p_value: float


def paired_difference(
    gains_N: NDArray[np.float64],
    units: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Difference:
    """Return the mean of paired differences, bootstrapped over units.

    Args:
        gains_N: for each row, the other run's score less the base's; no NaN.
        units: the unit of each row.
        resamples: how many times units are drawn.
        seed: of the draws.

    Raises:
        ValueError: there is no row.
    """
    if not len(gains_N):
        raise ValueError("a difference needs at least one row")
    _, place_N = np.unique(np.asarray(units), return_inverse=True)
    [found] = paired_differences([gains_N], place_N, resamples=resamples, seed=seed)
    if found is None:
        raise ValueError("a difference needs at least one score")
    return found


def paired_differences(
    gains: Sequence[NDArray[np.float64]],
    place_N: NDArray[np.int64],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> list[Difference | None]:
    """Return ``paired_difference`` of several quantities, all from the same draws.

    Args:
        gains: for each quantity, the differences of N rows; NaN where a row has none.
        place_N: the number of each row's unit.
        resamples: how many times units are drawn.
        seed: of the draws.

    Returns:
        The differences; ``None`` of a quantity that no row has.
    """
    parts = [_by_unit(gains_N, place_N) for gains_N in gains]
    units = int(place_N.max()) + 1 if len(place_N) else 0
    drawn = bootstrap_sums(units, parts, resamples=resamples, seed=seed) if units > 1 else []
    found: list[Difference | None] = []
    for index, (gains_N, part) in enumerate(zip(gains, parts, strict=True)):
        if not len(part.values_PK):
            found.append(None)
            continue
        mean = float(np.nanmean(gains_N))
        # One unit says nothing about others.
        alone = len(part.values_PK) < 2  # noqa: PLR2004
        found.append(Difference(mean, None) if alone else _difference(mean, means_of(drawn[index])))
    return found


def _by_unit(gains_N: NDArray[np.float64], place_N: NDArray[np.int64]) -> Part:
    """Return the sum and number of the gains of each unit that has any."""
    known_N = ~np.isnan(gains_N)
    counts_U = np.bincount(place_N[known_N])
    sums_U = np.bincount(place_N[known_N], weights=gains_N[known_N])
    places = np.flatnonzero(counts_U)
    return Part(np.stack([sums_U, counts_U], axis=1)[places].astype(np.float64), places)


def _difference(mean: float, means_R1: NDArray[np.float64]) -> Difference:
    means_R = means_R1[:, 0][~np.isnan(means_R1[:, 0])]
    # The share of resamples on the far side of zero, counting the sample itself once.
    below, above = (means_R <= 0).sum() + 1, (means_R >= 0).sum() + 1
    p_value = min(1.0, 2.0 * float(min(below, above)) / (len(means_R) + 1))
    return Difference(mean, percentile_interval(means_R), p_value)


_FEW_CHANCES: Final = 200
"""Up to so many, the plain sum of products is as quick, and exact to the last digit."""


def resamples_for(tests: int) -> int:
    """Return how many resamples let one of so many tests be clear after Holm's correction."""
    return max(RESAMPLES, math.ceil(4 / CLEAR) * tests)


def mcnemar_exact(
    right_base_N: NDArray[np.bool_], right_other_N: NDArray[np.bool_], units: Sequence[str]
) -> McNemar:
    """Return McNemar's exact test, units as a whole: is what changed evenly divided?"""
    gains_N = right_other_N.astype(np.int64) - right_base_N.astype(np.int64)
    _, place_N = np.unique(np.asarray(units), return_inverse=True)
    gains_U = np.bincount(place_N, weights=gains_N).astype(np.int64)
    return McNemar(int((gains_N < 0).sum()), int((gains_N > 0).sum()), _swapped_p_value(gains_U))


def _swapped_p_value(gains_U: NDArray[np.int64]) -> float:
    """Return how often a sum so far from zero comes out when each gain may change its sign."""
    # scipy takes a while to import, and the other commands do without; its special functions take
    # a third of the time that its statistics do.
    from scipy.special import gammaln  # noqa: PLC0415

    sums = np.ones(1)
    sizes, counts = np.unique(np.abs(gains_U[gains_U != 0]), return_counts=True)
    for size, count in zip(sizes, counts, strict=True):
        # The sum of so many gains of one size, in steps of twice that size.
        chances = np.zeros(2 * size * count + 1)
        up = np.arange(count + 1)
        ways = gammaln(count + 1) - gammaln(up + 1) - gammaln(count - up + 1)
        chances[:: 2 * size] = np.exp(ways - count * math.log(2))
        sums = _convolved(sums, chances)
    distance = np.abs(np.arange(len(sums)) - len(sums) // 2)
    return min(1.0, float(sums[distance >= abs(int(gains_U.sum()))].sum()))


def _convolved(chances: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the chances of a sum, by Fourier transform where all products would take seconds."""
    if min(len(chances), len(others)) <= _FEW_CHANCES:
        return np.convolve(chances, others)
    length = len(chances) + len(others) - 1
    product = np.fft.rfft(chances, length) * np.fft.rfft(others, length)
    return np.maximum(np.fft.irfft(product, length), 0.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number (Holm 1979), in the order given."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values)
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in corrected]


def holm_known(p_values: Sequence[float | None]) -> list[float | None]:
    """Return ``holm`` of the p-values that there are; ``None`` stays, and is no test."""
    corrected = iter(holm([p_value for p_value in p_values if p_value is not None]))
    return [None if p_value is None else next(corrected) for p_value in p_values]
