"""Bootstrap over units: the rows of one product are not independent, so products are drawn.

Pure numpy; ``scipy.stats.bootstrap`` gives the same intervals, one quantity at a time. A mean over
a resample is the sum of the drawn units' sums divided by the sum of their counts, never a mean of
means.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 2000
SEED: Final = 0
_CHUNK: Final = 100
"""Resamples at a time: 100 x 50,000 units of 8 bytes are 40 MB."""


def bootstrap_means(
    sums_UK: NDArray[np.float64],
    counts_UK: NDArray[np.float64],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> NDArray[np.float64]:
    """Return the means of K quantities over resampled units, shape (resamples, K).

    All quantities share the same draws, so that differences between columns are paired.

    Args:
        sums_UK: each unit's sum of each quantity.
        counts_UK: how many rows that sum covers.
        resamples: how many times U units are drawn with replacement.
        seed: of the draws.

    Returns:
        The means; NaN where a resample covers no row of a quantity.
    """
    width = sums_UK.shape[1]
    drawn = bootstrap_sums(np.hstack([sums_UK, counts_UK]), resamples=resamples, seed=seed)
    with np.errstate(invalid="ignore"):
        means: NDArray[np.float64] = drawn[:, :width] / drawn[:, width:]
    return means


def bootstrap_sums(
    values_UK: NDArray[np.float64], *, resamples: int = RESAMPLES, seed: int = SEED
) -> NDArray[np.float64]:
    """Return the sums of K quantities over resampled units, shape (resamples, K).

    All quantities share the same draws, so that differences between columns are paired.
    """
    units = len(values_UK)
    generator = np.random.default_rng(seed)
    sums = np.empty((resamples, values_UK.shape[1]), dtype=np.float64)
    for start in range(0, resamples, _CHUNK):
        size = min(_CHUNK, resamples - start)
        drawn = generator.integers(units, size=(size, units))
        drawn += np.arange(size)[:, None] * units
        times_RU = np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)
        sums[start : start + size] = times_RU.astype(np.float64) @ values_UK
    return sums


def percentile_interval(
    means: NDArray[np.float64], confidence: float = 0.95
) -> tuple[float, float] | None:
    """Return the central interval of resampled means, or ``None`` where there are none."""
    if np.isnan(means).all():
        return None
    tail = (1.0 - confidence) / 2.0
    low, high = np.nanquantile(means, [tail, 1.0 - tail])
    return float(low), float(high)
