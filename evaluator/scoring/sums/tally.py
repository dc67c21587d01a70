"""Sums of scores by unit and kind of question: what merges, exactly.

Scores are summed as whole numbers of 2**-36, so that the total is the same whatever the order of
rows and however they were cut into shards. Means and intervals are formed once, at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

UNIT: Final = 2.0**36
"""Units in 1: 134 million scores of 1, or 1.3 million squares of 10, sum up within 64 bits."""


class Cell(NamedTuple):
    """The rows of one unit that ask for the same, with answers equally frequent.

    ``unit`` is what intervals draw: its rows are not independent, see ``shared.dataset.units``.
    ``agreement`` is what the listing says to the reference, see ``shared.records.QAPair``.
    """

    unit: str
    question_type: str
    answer_frequency: str
    agreement: str = ""
    domain: str = ""


@dataclass(frozen=True)
class Tally:
    """Counted scores.

    ``rows_C`` counts all rows of each of C cells. ``sums_CM``, ``squares_CM`` and ``counts_CM``
    hold, for each of M metrics, the sum of the scores and of their squares in units of 2**-36,
    and how many scores there were; a NaN is no score.
    """

    metrics: tuple[str, ...]
    cells: tuple[Cell, ...]
    rows_C: NDArray[np.int64]
    sums_CM: NDArray[np.int64]
    squares_CM: NDArray[np.int64]
    counts_CM: NDArray[np.int64]

    @classmethod
    def of(cls, cells: Sequence[Cell], columns: Mapping[str, NDArray[np.float64]]) -> Tally:
        """Count the scores of N rows; each column has shape (N,)."""
        values_NM = np.empty((len(cells), len(columns)), dtype=np.float64)
        for index, column in enumerate(columns.values()):
            values_NM[:, index] = column
        scored_NM = ~np.isnan(values_NM)
        filled_NM = np.where(scored_NM, values_NM, 0.0)
        return cls._gather(
            tuple(columns),
            cells,
            np.ones(len(cells), dtype=np.int64),
            np.rint(filled_NM * UNIT).astype(np.int64),
            np.rint(filled_NM**2 * UNIT).astype(np.int64),
            scored_NM.astype(np.int64),
        )

    @classmethod
    def merge(cls, tallies: Iterable[Tally]) -> Tally:
        """Return the tally of all rows together.

        Raises:
            ValueError: there is none, or they count different metrics.
        """
        parts = list(tallies)
        if len({part.metrics for part in parts}) != 1:
            raise ValueError("only tallies of the same metrics merge, and at least one is needed")
        return cls._gather(
            parts[0].metrics,
            [cell for part in parts for cell in part.cells],
            np.concatenate([part.rows_C for part in parts]),
            np.concatenate([part.sums_CM for part in parts]),
            np.concatenate([part.squares_CM for part in parts]),
            np.concatenate([part.counts_CM for part in parts]),
        )

    @classmethod
    def _gather(
        cls, metrics: tuple[str, ...], cells: Sequence[Cell], *parts: NDArray[np.int64]
    ) -> Tally:
        distinct = sorted(set(cells))
        place = {cell: index for index, cell in enumerate(distinct)}
        row_cell = np.fromiter(map(place.__getitem__, cells), np.int64, len(cells))
        order = np.argsort(row_cell, kind="stable")
        starts = np.searchsorted(row_cell[order], np.arange(len(distinct)))
        totals = [
            np.add.reduceat(part[order], starts, axis=0) if distinct else part for part in parts
        ]
        return cls(metrics, tuple(distinct), *totals)


def units_of_cells(cells: Sequence[Cell]) -> NDArray[np.int64]:
    """Return the number of each cell's unit, from 0, shape (C,); cells as a tally has them."""
    starts = [cell.unit != before.unit for before, cell in pairwise(cells)]
    return np.cumsum([0, *starts], dtype=np.int64) if cells else np.zeros(0, dtype=np.int64)
