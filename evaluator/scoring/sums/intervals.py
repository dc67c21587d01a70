"""Bootstrap over units: the rows of one product are not independent, so products are drawn.

Pure numpy; ``scipy.stats.bootstrap`` gives the same intervals, one quantity at a time. A mean over
a resample is the sum of the drawn units' sums divided by the sum of their counts, never a mean of
means. Draws are made in one order, and counted and summed by as many threads as there are cores.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

RESAMPLES: Final = 2000
SEED: Final = 0
_DRAWN_AT_ONCE: Final = 2**20
"""Units drawn in one piece of work: their counts are 8 MB."""
_ALONE: Final = 2**17
"""So few draws in all are done before threads have begun."""


@dataclass(frozen=True)
class Part:
    """K quantities that P of the units have; ``places`` are those units', all where ``None``."""

    values_PK: NDArray[np.float64]
    places: NDArray[np.int64] | None = None


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
    part = Part(np.hstack([sums_UK, counts_UK]))
    [sums_RK] = bootstrap_sums(len(sums_UK), [part], resamples=resamples, seed=seed)
    return means_of(sums_RK)


def means_of(sums_RK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sums divided by counts, which are the second half of the columns."""
    sums, counts = np.hsplit(sums_RK, 2)
    with np.errstate(invalid="ignore"):
        means: NDArray[np.float64] = sums / counts
    return means


def bootstrap_sums(
    units: int, parts: Sequence[Part], *, resamples: int = RESAMPLES, seed: int = SEED
) -> list[NDArray[np.float64]]:
    """Return, for each part, the sums of its quantities over resampled units, (resamples, K).

    All parts share the same draws, so that differences between quantities are paired. A quantity
    that few units have costs less than one of all.
    """
    generator = np.random.default_rng(seed)
    sums = [np.empty((resamples, part.values_PK.shape[1])) for part in parts]
    everywhere = [index for index, part in enumerate(parts) if _is_everywhere(part, units)]
    ends = np.cumsum([parts[index].values_PK.shape[1] for index in everywhere])
    # What all units have is summed by one product.
    values_UK = np.hstack(
        [parts[index].values_PK for index in everywhere] or [np.empty((units, 0))]
    )

    def count(start: int, drawn: NDArray[np.uint32]) -> None:
        times_RU = np.empty((len(drawn), units))
        for row, of_resample in enumerate(drawn):
            times_RU[row] = np.bincount(of_resample, minlength=units)
        whole_RK = times_RU @ values_UK
        for index, own_RK in zip(everywhere, np.split(whole_RK, ends[:-1], axis=1), strict=False):
            sums[index][start : start + len(drawn)] = own_RK
        for index, part in enumerate(parts):
            if part.places is not None and not _is_everywhere(part, units):
                own_RP = times_RU.take(part.places, axis=1)
                sums[index][start : start + len(drawn)] = own_RP @ part.values_PK

    size = max(1, min(100, _DRAWN_AT_ONCE // max(units, 1)))
    starts = range(0, resamples, size)
    pieces = (
        (start, generator.integers(units, size=(min(size, resamples - start), units), dtype="u4"))
        for start in starts
    )
    if units * resamples <= _ALONE:
        for piece in pieces:
            count(*piece)
        return sums
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    waiting: deque[Future[None]] = deque()
    # One thread for each product: BLAS's own would wait for each other, and on a busy machine long.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        for piece in pieces:
            waiting.append(pool.submit(count, *piece))
            # No more draws than threads take up: they are most of the memory.
            if len(waiting) > workers:
                waiting.popleft().result()
        for of_piece in waiting:
            of_piece.result()
    return sums


def _is_everywhere(part: Part, units: int) -> bool:
    return part.places is None or len(part.places) == units


def resampled_counts(
    units: int, *, resamples: int = RESAMPLES, seed: int = SEED
) -> Iterator[NDArray[np.float64]]:
    """Yield how often each unit was drawn, some resamples at a time, shape (some, U)."""
    generator = np.random.default_rng(seed)
    size = max(1, min(100, _DRAWN_AT_ONCE // max(units, 1)))
    for start in range(0, resamples, size):
        drawn = generator.integers(units, size=(min(size, resamples - start), units), dtype="u4")
        yield np.array([np.bincount(row, minlength=units) for row in drawn], dtype=np.float64)


def percentile_interval(
    means: NDArray[np.float64], confidence: float = 0.95
) -> tuple[float, float] | None:
    """Return the central interval of resampled means, or ``None`` where there are none."""
    if np.isnan(means).all():
        return None
    tail = (1.0 - confidence) / 2.0
    low, high = np.nanquantile(means, [tail, 1.0 - tail])
    return float(low), float(high)
