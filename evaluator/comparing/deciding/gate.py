"""A gate for continuous integration: does the last change cost more than is allowed?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluator.comparing.differences import RunComparison
from evaluator.metrics.metric import Metric
from evaluator.metrics.registry import METRICS, label
from evaluator.runs.folder import Run
from shared.errors import AboVqaError, InputError


class GateClosed(AboVqaError):
    """A run may be worse than its base by more than is allowed."""


@dataclass(frozen=True)
class Gate:
    """The lower end of a difference's 95 % interval against the least that is allowed.

    ``low`` and ``fail_below`` are in the metric's own unit: -0.01 is one point less.
    """

    base: str
    other: str
    metric: str
    low: float
    fail_below: float

    @property
    def passed(self) -> bool:
        """Tell whether the whole interval lies where it may."""
        return self.low >= self.fail_below

    def sentence(self) -> str:
        """Return what the gate says."""
        side = "not below" if self.passed else "below"
        return (
            f"gate {'passed' if self.passed else 'closed'}: {label(self.metric)} of {self.other} "
            f"less {self.base}: the 95 % interval begins at {self.low:+z.4f}, {side} "
            f"{self.fail_below:+g}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as an object."""
        return {
            "base": self.base,
            "other": self.other,
            "metric": self.metric,
            "low": self.low,
            "fail_below": self.fail_below,
            "passed": self.passed,
        }


def require_possible(fail_below: float) -> None:
    """Check that a gate can both open and close.

    Raises:
        InputError: it is no difference of two figures from 0 to 1, as where points are given.
    """
    if not -1 < fail_below < 1:
        raise InputError(
            f"--fail-below {fail_below:g}: no such difference decides anything; it is in the "
            "metric's own unit, between -1 and 1: -0.01 is a point"
        )


def require_interval(metric: Metric, runs: Sequence[Run]) -> None:
    """Check that a gate can be put on a metric, before anything is computed.

    Raises:
        InputError: the metric is a figure of the whole set, so that its difference is no mean of
            rows and has no interval, or a run lacks it.
    """
    possible = [
        name
        for name in runs[0].columns
        if all(name in run.columns for run in runs) and _has_interval(name)
    ]
    if metric.name not in possible:
        why = "a run lacks it" if _has_interval(metric.name) else "its difference has no interval"
        others = ", ".join(possible) or "none"
        raise InputError(f"--metric {metric}: {why}, so no gate can be put on it; gates: {others}")


def gates(comparisons: Sequence[RunComparison], metric: str, fail_below: float) -> list[Gate]:
    """Return the gate of each comparison.

    Raises:
        InputError: the rows are of one unit alone, so that nothing has an interval.
    """
    put = []
    for comparison in comparisons:
        difference = next(m.difference for m in comparison.metrics if m.metric == metric)
        if difference.ci95 is None:
            raise InputError(
                f"--fail-below: {label(metric)} of {comparison.other} less {comparison.base} has "
                f"no interval: all rows are of one {comparison.noun}; give data with more"
            )
        put.append(Gate(comparison.base, comparison.other, metric, difference.ci95[0], fail_below))
    return put


def _has_interval(name: str) -> bool:
    return name in METRICS and METRICS[name].has_leads
