"""Times two ways of doing the same, taking turns, so that a busy machine slows both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from shared.program.clock import stopwatch

ROUNDS = 3


@dataclass(frozen=True)
class Comparison:
    """Rates of the reference and of ours, in ``unit``; higher is better.

    ``parts`` has the seconds that each part of ours takes alone for ``work`` pieces of work, where
    they were measured.
    """

    what: str
    unit: str
    reference: float
    ours: float
    parts: Mapping[str, float] = field(default_factory=dict)
    work: int = 0

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.ours / self.reference

    @property
    def ceiling(self) -> str:
        """The ratio that the parts allow, and how much of it is reached; empty if unmeasured."""
        if not self.parts:
            return ""
        possible = self.work / sum(self.parts.values())
        return f"{possible / self.reference:.2f} ({self.ours / possible:.0%} of it)"

    @property
    def shares(self) -> str:
        """Return what the ceiling is made of."""
        total = sum(self.parts.values())
        return ", ".join(f"{name} {seconds / total:.0%}" for name, seconds in self.parts.items())

    def plain(self) -> dict[str, str]:
        """Return it as the cells of a table."""
        return {
            "what": self.what,
            "unit": self.unit,
            "reference": f"{self.reference:,.1f}",
            "ours": f"{self.ours:,.1f}",
            "ratio": f"{self.ratio:.2f}",
            "ceiling": self.ceiling,
            "bound by": self.shares,
        }


@dataclass(frozen=True)
class Target:
    """What a model takes in one engine: one question on one picture, and all around it.

    ``joules`` are those of a question, ``None`` where the machine counts none; ``equal`` is the
    share of answers that are the original's, ``None`` where its weights are random: what it says
    is then chance.
    """

    what: str
    bytes_on_disk: int
    start_s: float
    each_ms: Sequence[float]
    each_cpu_ms: Sequence[float]
    peak_mib: float
    joules: float | None
    equal: float | None

    def plain(self) -> dict[str, str]:
        """Return it as the cells of a table."""
        p50, p95 = np.percentile(self.each_ms, (50, 95))
        return {
            "what": self.what,
            "on disk, MB": f"{self.bytes_on_disk / 1e6:.1f}",
            "start, s": f"{self.start_s:.1f}",
            "p50, ms": f"{p50:.1f}",
            "p95, ms": f"{p95:.1f}",
            "CPU, ms": f"{median(self.each_cpu_ms):.1f}",
            "peak MiB": f"{self.peak_mib:.0f}",
            "joules a question": "not measurable here"
            if self.joules is None
            else f"{self.joules:.2f}",
            "same answers": "random weights" if self.equal is None else f"{self.equal:.1%}",
        }


@dataclass(frozen=True)
class Taken:
    """What one start of a command takes: CPU seconds, and MiB at most."""

    what: str
    cpu_s: float
    peak_mib: float

    def plain(self) -> dict[str, str]:
        """Return it as the cells of a table."""
        return {
            "what": self.what,
            "CPU s": f"{self.cpu_s:.2f}",
            "peak MiB": f"{self.peak_mib:.0f}",
        }


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
