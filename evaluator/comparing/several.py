"""Several runs on the same questions: every pair is compared, and who is best, with the ties.

Holm's correction goes over all pairs and metrics together, so that among ten equal runs none is
called better more often than once in twenty tries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from evaluator.comparing.differences import RunComparison, cautions, comparison_of
from evaluator.comparing.gains import Gains, draw_differences, gains_between
from evaluator.comparing.pairing import pair_rows
from evaluator.comparing.significance import CLEAR, holm_known, resamples_for
from evaluator.metrics.metric import Metric
from evaluator.metrics.registry import label
from evaluator.runs.folder import Run
from shared.errors import InputError


@dataclass(frozen=True)
class Standing:
    """A run's place: its mean over the questions that all answered, and its ties.

    A tie is a run that it is not clearly better or worse than.
    """

    name: str
    mean: float
    tied_with: tuple[str, ...]


@dataclass(frozen=True)
class SeveralRuns:
    """All pairs of runs; ``standings`` by ``metric``, the first that all have, best first."""

    comparisons: Sequence[RunComparison]
    metric: str
    standings: Sequence[Standing]

    def to_json(self) -> dict[str, Any]:
        """Return what ``evaluator compare --json`` prints."""
        return {
            "metric": self.metric,
            "standings": [
                {"name": run.name, "mean": run.mean, "tied_with": list(run.tied_with)}
                for run in self.standings
            ],
            "comparisons": [comparison.to_json() for comparison in self.comparisons],
            "says": several_sentences(self),
        }


@dataclass(frozen=True)
class Attempt:
    """Two runs that were to be compared: their differences, or why there are none."""

    base: str
    other: str
    comparison: RunComparison | None
    reason: str


def compare_all(runs: Sequence[Run], chosen: Sequence[Metric] | None = None) -> SeveralRuns:
    """Compare each of several runs with each that comes before it.

    Raises:
        InputError: two of them cannot be compared, see ``compare_runs``.
    """
    attempts = attempt_all(runs, chosen)
    for attempt in attempts:
        if attempt.comparison is None:
            raise InputError(attempt.reason)
    comparisons = [a.comparison for a in attempts if a.comparison is not None]
    metric = comparisons[0].metrics[0].metric
    return SeveralRuns(comparisons, metric, _standings(runs, comparisons, metric))


def attempt_all(runs: Sequence[Run], chosen: Sequence[Metric] | None = None) -> list[Attempt]:
    """Compare all pairs of runs that can be compared; corrected together."""
    pairs = list(combinations(runs, 2))
    # At most so many tests: each metric of each pair.
    tests = len(pairs) * max((len(run.columns) for run in runs), default=1)
    tried = [_gains_or_reason(base, other, chosen) for base, other in pairs]
    drawn = iter(
        draw_differences(
            [gains for gains in tried if isinstance(gains, Gains)], resamples_for(tests)
        )
    )
    attempts = []
    for (base, other), gains in zip(pairs, tried, strict=True):
        comparison, reason = None, ""
        try:
            if isinstance(gains, InputError):
                raise gains
            comparison = comparison_of(gains, next(drawn))
        except InputError as error:
            reason = str(error)
        attempts.append(Attempt(base.name, other.name, comparison, reason))
    return _corrected_together(attempts)


def _gains_or_reason(base: Run, other: Run, chosen: Sequence[Metric] | None) -> Gains | InputError:
    try:
        return gains_between(base, other, chosen)
    except InputError as error:
        return error


def several_sentences(several: SeveralRuns) -> list[str]:
    """Return who is best, with the ties, and what needs care."""
    first, *rest = several.standings
    words = [f"“{first.name}” {first.mean:z.4f}"]
    words += [f"“{run.name}” {run.mean:z.4f}" for run in rest]
    lines = [f"{label(several.metric)}, best first: {', '.join(words)}."]
    for place, run in enumerate(several.standings):
        below = [later.name for later in several.standings[place + 1 :]]
        ties = [f"“{name}”" for name in below if name in run.tied_with]
        if ties:
            lines.append(f"A tie, no clear difference: “{run.name}” and {', '.join(ties)}.")
    told = dict.fromkeys(text for each in several.comparisons for text in cautions(each))
    return [*lines, *told]


def _corrected_together(attempts: Sequence[Attempt]) -> list[Attempt]:
    values = iter(
        holm_known(
            [
                metric.difference.p_value
                for attempt in attempts
                for metric in (attempt.comparison.metrics if attempt.comparison else ())
            ]
        )
    )
    corrected = []
    for attempt in attempts:
        comparison = attempt.comparison
        if comparison is not None:
            metrics = [replace(metric, p_holm=next(values)) for metric in comparison.metrics]
            comparison = replace(comparison, metrics=metrics)
        corrected.append(replace(attempt, comparison=comparison))
    return corrected


def _standings(
    runs: Sequence[Run], comparisons: Sequence[RunComparison], metric: str
) -> list[Standing]:
    rows = pair_rows(runs).rows
    means = {
        run.name: float(np.nanmean([run.columns[metric][row[place]] for row in rows]))
        for place, run in enumerate(runs)
    }
    ties: dict[str, list[str]] = {run.name: [] for run in runs}
    for comparison in comparisons:
        p_holm = next(each.p_holm for each in comparison.metrics if each.metric == metric)
        if p_holm is None or p_holm >= CLEAR:
            ties[comparison.base].append(comparison.other)
            ties[comparison.other].append(comparison.base)
    order = sorted(means, key=lambda name: -means[name])
    return [Standing(name, means[name], tuple(ties[name])) for name in order]
