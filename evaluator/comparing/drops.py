"""What changes of pictures and words cost one run more than another, on the same questions.

A drop is compared as a score is: row by row, so that what is hard for both cancels out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

from evaluator.comparing.differences import MetricDifference, compare_runs, p_text
from evaluator.comparing.significance import CLEAR, holm_known, resamples_for
from evaluator.metrics.metric import Metric
from evaluator.metrics.registry import label
from evaluator.runs.folder import Run
from evaluator.scoring.controls import rows_of
from shared.errors import InputError


@dataclass(frozen=True)
class DropDifference:
    """How much more ``other`` loses under a change than ``base`` does, by each metric.

    ``base`` and ``other`` of a metric are what each loses; p-values are corrected for all changes,
    pairs of runs and metrics together.
    """

    change: str
    base: str
    other: str
    n: int
    clustered_by: str
    metrics: Sequence[MetricDifference]

    def to_json(self) -> dict[str, Any]:
        """Return what ``evaluator compare --json`` prints."""
        return asdict(self)


def compare_drops(
    runs: Sequence[Run], chosen: Sequence[Metric] | None = None
) -> list[DropDifference]:
    """Compare what each pair of runs loses under each change that was made alike in both.

    What cannot be compared is not there: see ``not_compared``.
    """
    pairs = [
        (change, base, other)
        for base, other in combinations(runs, 2)
        for change in base.changed
        if _is_alike(change, base, other)
    ]
    tests = len(pairs) * max((len(run.columns) for run in runs), default=1)
    found = [
        drop
        for change, base, other in pairs
        if (drop := _compared(change, base, other, chosen, resamples_for(tests))) is not None
    ]
    corrected = iter(holm_known([m.difference.p_value for each in found for m in each.metrics]))
    return [
        replace(each, metrics=[replace(m, p_holm=next(corrected)) for m in each.metrics])
        for each in found
    ]


def drop_sentences(runs: Sequence[Run], drops: Sequence[DropDifference]) -> list[str]:
    """Return what differs clearly in what changes cost, and what is not compared, in words."""
    lines = [
        _sentence(each, metric)
        for each in drops
        for metric in each.metrics
        if metric.p_holm is not None and metric.p_holm < CLEAR
    ]
    if drops and not lines:
        lines = ["No clear difference in what changes of pictures or words cost."]
    compared = {(each.change, each.base, each.other) for each in drops}
    missing = dict.fromkeys(
        change
        for base, other in combinations(runs, 2)
        for change in [*base.scorecard.robustness, *other.scorecard.robustness]
        if (change, base.name, other.name) not in compared
    )
    if missing:
        lines.append(
            f"What is lost under {', '.join(missing)} is not compared between all runs: one was "
            "not asked so, or in another way, or by a release that did not keep its answers."
        )
    return lines


def _is_alike(change: str, base: Run, other: Run) -> bool:
    known = [run.scorecard.robustness.get(change) for run in (base, other)]
    signatures = {each.signature if each else "" for each in known}
    return change in other.changed and len(signatures) == 1


def _compared(
    change: str, base: Run, other: Run, chosen: Sequence[Metric] | None, resamples: int
) -> DropDifference | None:
    of_base, of_other = _lost(base, change), _lost(other, change)
    some = None
    if chosen is not None:
        some = [m for m in chosen if all(m.name in run.columns for run in (of_base, of_other))]
    try:
        found = compare_runs(of_base, of_other, some, resamples=resamples)
    except InputError:
        return None
    return DropDifference(change, base.name, other.name, found.n, found.clustered_by, found.metrics)


def _lost(run: Run, change: str) -> Run:
    """Return a run whose scores are what each row loses under a change."""
    under = run.changed[change]
    rows = rows_of(run.predictions, under.predictions)
    drop = run.scorecard.robustness[change].drop
    columns = {
        name: run.columns[name][rows] - column
        for name, column in under.columns.items()
        if name in drop
    }
    return replace(run, predictions=under.predictions, columns=columns)


def _sentence(drop: DropDifference, metric: MetricDifference) -> str:
    more = metric.difference
    word = "more" if more.mean > 0 else "less"
    low, high = sorted(abs(100 * end) for end in more.ci95 or (more.mean, more.mean))
    return (
        f"Under {drop.change}, “{drop.other}” loses {abs(100 * more.mean):z.1f} points of "
        f"{label(metric.metric)} {word} than “{drop.base}”, 95 % interval {low:z.1f} to "
        f"{high:z.1f}, {p_text(metric.p_holm or 0.0)} after Holm's correction."
    )
