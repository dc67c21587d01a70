"""What one run gains on another, row by row, and how sure the means of that are.

Runs on the same rows draw the same units, so all their pairs share the draws, which take the time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.comparing.comparable import common_metrics, same_rows
from evaluator.comparing.pairing import PairedRows, units_between
from evaluator.comparing.significance import Difference, paired_differences
from evaluator.metrics.metric import Metric
from evaluator.runs.folder import Run
from shared.questions.types import question_type, question_types
from shared.records import QAPair

_PAIRS_AT_ONCE: Final = 8
"""Pairs of runs whose gains are held at once: of 50,000 rows, ten metrics and ten types, 64 MB."""


@dataclass(frozen=True)
class Gains:
    """Two runs on the same N questions.

    ``compared`` has both runs' pair of each row, ``unit_of_row`` what intervals draw, and
    ``scores`` of each metric the N scores of ``base`` and of ``other``.
    """

    base: Run
    other: Run
    paired: PairedRows
    compared: Sequence[tuple[QAPair, QAPair]]
    unit_of_row: Sequence[str]
    scores: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]

    @cached_property
    def place_N(self) -> NDArray[np.int64]:  # noqa: N802 (an array over N rows)
        """Return the number of each row's unit."""
        _, place_N = np.unique(np.asarray(self.unit_of_row), return_inverse=True)
        return place_N

    @cached_property
    def types(self) -> Sequence[str]:
        """Return the types of question that there are, in the order of tables."""
        return [kind for kind in question_types() if kind in self._kinds]

    @cached_property
    def _kinds(self) -> NDArray[np.object_]:
        return np.array([question_type(pair.question) for pair, _ in self.compared], dtype=object)

    def quantities(self) -> Iterator[NDArray[np.float64]]:
        """Yield the N gains in each metric, then in the first for each type; NaN where none is."""
        gains = [after_N - before_N for before_N, after_N in self.scores.values()]
        yield from gains
        for kind in self.types:
            yield np.where(self._kinds == kind, gains[0], np.nan)


def gains_between(base: Run, other: Run, chosen: Sequence[Metric] | None = None) -> Gains:
    """Return what ``other`` gains on ``base``.

    Args:
        base: the run to start from.
        other: the run that may be better.
        chosen: which metrics; by default all that both have.

    Raises:
        InputError: the runs are about different data, no metric is in both, or one was measured
            differently in each.
    """
    paired = same_rows(base, other)
    metrics = common_metrics(base, other, chosen)
    rows_N2 = np.array(paired.rows)
    compared = [
        (base.predictions[before].pair, other.predictions[after].pair)
        for before, after in paired.rows
    ]
    units = units_between(base, other)
    return Gains(
        base,
        other,
        paired,
        compared,
        [units[pair.filename] for pair, _ in compared],
        {
            metric: (base.columns[metric][rows_N2[:, 0]], other.columns[metric][rows_N2[:, 1]])
            for metric in metrics
        },
    )


def draw_differences(several: Sequence[Gains], resamples: int) -> list[Sequence[Difference | None]]:
    """Return the difference of each quantity of each of ``several``, in their order.

    Args:
        several: gains of pairs of runs.
        resamples: how often units are drawn.

    Returns:
        One list for each, see ``Gains.quantities``; ``None`` of a quantity that no row has.
    """
    alike: defaultdict[bytes, list[int]] = defaultdict(list)
    for index, gains in enumerate(several):
        alike[gains.place_N.tobytes()].append(index)
    drawn: dict[int, Sequence[Difference | None]] = {}
    for indices in alike.values():
        for start in range(0, len(indices), _PAIRS_AT_ONCE):
            some = indices[start : start + _PAIRS_AT_ONCE]
            quantities = [list(several[index].quantities()) for index in some]
            place_N = several[some[0]].place_N
            found = iter(
                paired_differences(
                    [gains_N for of_pair in quantities for gains_N in of_pair],
                    place_N,
                    resamples=resamples,
                )
            )
            for index, of_pair in zip(some, quantities, strict=True):
                drawn[index] = [next(found) for _ in of_pair]
    return [drawn[index] for index in range(len(several))]
