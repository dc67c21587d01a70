"""Figures of a whole set of rows that are no mean of scores, such as BLEU: counted, then divided.

What each row counts stands in columns beside the scores, so that any set of rows, drawn in any
order, has its exact figure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.rows import Rows, RowScore

Figures = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Forms the figure of each of R sums of statistics, shape (R,)."""

STATISTIC_UNIT: Final = 1024.0
"""Statistics are kept divided by this: a tally holds sums of some million, and counts of words grow
faster than scores. A power of two, so that nothing is rounded."""


@dataclass(frozen=True)
class Counter:
    """What a corpus figure counts in each row; several figures may share it."""

    name: str
    statistics: tuple[str, ...]
    count: RowScore

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of its columns: a slash tells them from scores."""
        return tuple(f"{self.name}/{statistic}" for statistic in self.statistics)

    def columns_of(self, rows: Rows) -> dict[str, NDArray[np.float64]]:
        """Return what each row counts, by column, in units of ``STATISTIC_UNIT``."""
        counts_ND = rows.computed(self.count) / STATISTIC_UNIT
        return dict(zip(self.columns, counts_ND.T, strict=True))


@dataclass(frozen=True)
class CorpusFigure:
    """A figure formed from sums over a set of rows, not a mean of their scores."""

    counter: Counter
    figures: Figures

    def of_each(self, rows: Rows, _models: object = None) -> NDArray[np.float64]:
        """Return the figure over each row alone, which is the row's score, shape (N,)."""
        return self.figures(rows.computed(self.counter.count))


def is_statistic(column: str) -> bool:
    """Return whether a column counts something for a corpus figure, and is no score."""
    return "/" in column
