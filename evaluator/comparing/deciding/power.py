"""How many pictures a comparison needs to see a difference, told before it is made.

A difference of two runs is a mean over rows, drawn by units (products or pictures). Its variance is
V / U for U units: from two runs, V is that of the linearised contribution of a unit (Binder 1983);
without runs, rows of +1, 0 and -1 are supposed, of which a share changed, with rows of one unit
alike as far as is said (Kish's design effect). A two-sided test of 5 % then sees a difference d
with the wanted chance from U = ((z_0.975 + z_chance) / d)^2 V on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

_LEVEL: Final = 0.05
CHANCE: Final = 0.8
"""How often a difference is seen, unless told otherwise."""
POINTS: Final = (0.5, 1.0, 2.0, 5.0)
"""Differences, in points, that are told besides the one that is asked about."""


@dataclass(frozen=True)
class Variation:
    """How much a unit says about a difference.

    ``variance`` is V of one unit, in squares of the metric's own unit; ``rows`` are a unit's on
    average.
    """

    variance: float
    rows: float

    def units_for(self, difference: float, chance: float = CHANCE) -> int:
        """Return how many units see ``difference`` with the given chance; two at least."""
        return max(2, math.ceil(self.variance * (_reach(chance) / difference) ** 2))

    def seen_by(self, units: int, chance: float = CHANCE) -> float:
        """Return the least difference that so many units see with the given chance."""
        return _reach(chance) * math.sqrt(self.variance / units)


@dataclass(frozen=True)
class Need:
    """What is needed to see differences: units, by points; ``noun`` is what a unit is.

    ``now`` is how many units the runs have from which it was measured.
    """

    variation: Variation
    noun: str
    chance: float
    units_by_points: Sequence[tuple[float, int]]
    now: int | None = None

    @property
    def points_seen_now(self) -> float | None:
        """Return the least difference that the units there are see, where there are some."""
        return None if self.now is None else 100 * self.variation.seen_by(self.now, self.chance)

    def to_json(self) -> dict[str, Any]:
        """Return what ``evaluator power --json`` prints."""
        return {
            "unit": self.noun,
            "chance": self.chance,
            "questions_per_unit": self.variation.rows,
            "variance_of_a_unit": self.variation.variance,
            "needed": [
                {"points": points, "units": units, "questions": round(units * self.variation.rows)}
                for points, units in self.units_by_points
            ],
            "units_now": self.now,
            "points_seen_now": self.points_seen_now,
        }


def need(
    variation: Variation,
    noun: str,
    points: float,
    chance: float = CHANCE,
    now: int | None = None,
) -> Need:
    """Return what is needed to see ``points``, and some other differences."""
    asked = sorted({*POINTS, points})
    units = [(each, variation.units_for(each / 100, chance)) for each in asked]
    return Need(variation, noun, chance, units, now)


def measured(gains_N: NDArray[np.float64], place_N: NDArray[np.int64]) -> Variation:
    """Return the variation of paired differences.

    Args:
        gains_N: for each row, one run's score less the other's; no NaN.
        place_N: the number of each row's unit, from 0 without gaps; two units or more.
    """
    counts_U = np.bincount(place_N)
    rows = float(counts_U.mean())
    sums_U = np.bincount(place_N, weights=gains_N - gains_N.mean())
    units = len(counts_U)
    return Variation(float((sums_U**2).sum() / (units - 1)) / rows**2, rows)


def supposed(changed: float, rows: float, alike: float) -> Variation:
    """Return the variation of answers that go from right to wrong, or back.

    Args:
        changed: the share of questions that one of the two runs alone has right.
        rows: questions of a unit.
        alike: the correlation of changes within a unit, from 0 to 1.
    """
    return Variation(changed * (1 + (rows - 1) * alike) / rows, rows)


def _reach(chance: float) -> float:
    return float(norm.ppf(1 - _LEVEL / 2) + norm.ppf(chance))
