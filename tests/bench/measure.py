"""Times two ways of doing the same, taking turns, so that a busy machine slows both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from shared.clock import stopwatch

ROUNDS = 3


@dataclass(frozen=True)
class Comparison:
    """Rates of the reference and of ours, in ``unit``; higher is better.

    ``possible`` is the rate that the measured times of our parts add up to, where they were.
    """

    what: str
    unit: str
    reference: float
    ours: float
    possible: float | None = None

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.ours / self.reference

    @property
    def ceiling(self) -> str:
        """The ratio that the parts allow, and how much of it is reached; empty if unmeasured."""
        if self.possible is None:
            return ""
        return f"{self.possible / self.reference:.2f} ({self.ours / self.possible:.0%} of it)"


def compare(
    what: str,
    unit: str,
    work: int,
    reference: Callable[[], object],
    ours: Callable[[], object],
    rounds: int = ROUNDS,
) -> Comparison:
    """Return the median rates over ``rounds`` turns of each; both do ``work`` pieces of work."""
    seconds: dict[str, list[float]] = {"reference": [], "ours": []}
    for _ in range(rounds):
        for name, run in (("reference", reference), ("ours", ours)):
            started = stopwatch()
            run()
            seconds[name].append(stopwatch() - started)
    return Comparison(
        what, unit, work / median(seconds["reference"]), work / median(seconds["ours"])
    )
