"""Compares two runs on the same questions: by how much one is better, and how sure that is.

What can be compared, ``comparable`` decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

from evaluator.comparing.comparable import asked_differently
from evaluator.comparing.gains import Gains, draw_differences, gains_between
from evaluator.comparing.pairing import spelled_otherwise
from evaluator.comparing.significance import (
    CLEAR,
    RESAMPLES,
    Difference,
    McNemar,
    holm_known,
    mcnemar_exact,
)
from evaluator.metrics.metric import Metric
from evaluator.metrics.registry import label
from evaluator.metrics.texts.exact_match import METRIC as EXACT_MATCH
from evaluator.runs.folder import Run
from shared.dataset.units import counted, independent_unit
from shared.errors import InputError

FEW_UNITS: Final = 30
"""Below so many, a bootstrap interval is rough."""


@dataclass(frozen=True)
class MetricDifference:
    """One metric in both runs; ``p_holm`` is corrected over all metrics of the comparison."""

    metric: str
    n: int
    base: float
    other: float
    difference: Difference
    p_holm: float | None


@dataclass(frozen=True)
class RunComparison:
    """``other`` against ``base``; differences by question type are of the first metric.

    ``units`` counts what intervals draw, and ``clustered_by`` says what that is. ``left_out``
    counts the rows that one run alone answers, since the other's model was trained on them, and
    ``trained_on`` those that are compared although a model was trained on them;
    ``pretrained_on`` those that only a base was pretrained on. ``spelled_otherwise`` counts those
    whose reference is the same but for its spelling. ``asked_differently`` says in what the models
    were asked differently.
    """

    base: str
    other: str
    n: int
    images: int
    units: int
    clustered_by: str
    left_out: int
    trained_on: int
    pretrained_on: int
    spelled_otherwise: int
    metrics: Sequence[MetricDifference]
    by_question_type: Mapping[str, Difference]
    mcnemar: McNemar
    asked_differently: Sequence[str] = ()

    @property
    def noun(self) -> str:
        """Return what a unit is, in one word."""
        return self.clustered_by.partition(",")[0]

    def to_json(self) -> dict[str, Any]:
        """Return what ``evaluator compare --json`` prints."""
        return {**asdict(self), "says": sentences(self)}


def compare_runs(
    base: Run,
    other: Run,
    chosen: Sequence[Metric] | None = None,
    *,
    resamples: int = RESAMPLES,
) -> RunComparison:
    """Compare two runs.

    Args:
        base: the run to start from.
        other: the run that may be better.
        chosen: which metrics; by default all that both have.
        resamples: how often units are drawn.

    Raises:
        InputError: the runs are about different data, no metric is in both, or one was measured
            differently in each.
    """
    gains = gains_between(base, other, chosen)
    [drawn] = draw_differences([gains], resamples)
    return comparison_of(gains, drawn)


def comparison_of(gains: Gains, drawn: Sequence[Difference | None]) -> RunComparison:
    """Return what ``gains`` come to.

    Args:
        gains: of two runs, row by row.
        drawn: the difference of each of its quantities, of ``draw_differences``.

    Raises:
        InputError: of a metric, no question has a score in both runs.
    """
    base, other, compared = gains.base, gains.other, gains.compared
    found, by_type = _differences(gains, drawn)
    right = [
        np.array([run.right[row[place]] for row in gains.paired.rows])
        for place, run in enumerate((base, other))
    ]
    return RunComparison(
        base.name,
        other.name,
        len(compared),
        len({pair.filename for pair, _ in compared if pair.names_image}),
        len(set(gains.unit_of_row)),
        independent_unit([pair for both in compared for pair in both]),
        gains.paired.missing,
        sum(before.trained_on or after.trained_on for before, after in compared),
        sum(before.pretrained_on or after.pretrained_on for before, after in compared),
        spelled_otherwise([base, other], gains.paired),
        found,
        by_type,
        mcnemar_exact(right[0], right[1], gains.unit_of_row),
        asked_differently(base, other),
    )


def sentences(comparison: RunComparison) -> list[str]:
    """Return what a comparison says, in words."""
    first, *rest = comparison.metrics
    lines = [_headline(comparison, first)]
    for wanted, words in ((1, "higher"), (-1, "lower")):
        names = [
            label(metric.metric)
            for metric in rest
            if metric.p_holm is not None
            and metric.p_holm < CLEAR
            and np.sign(metric.difference.mean) == wanted
        ]
        if names:
            lines.append(f"Clearly {words}, corrected for several metrics: {', '.join(names)}.")
    test = comparison.mcnemar
    lines.append(
        f"Exactly right in “{comparison.other}” alone: {test.only_other:,}; in “{comparison.base}” "
        f"alone: {test.only_base:,} (McNemar's exact test, each {comparison.noun} as a whole: "
        f"{p_text(test.p_value)})."
    )
    return [*lines, *cautions(comparison)]


def cautions(comparison: RunComparison) -> list[str]:
    """Return what a reader of a comparison must know besides its figures."""
    told = []
    if comparison.left_out:
        told.append(
            f"{comparison.left_out:,} rows that one of the models was trained on are left out."
        )
    if comparison.trained_on:
        told.append(
            f"{comparison.trained_on:,} of the {comparison.n:,} rows are about images that one of "
            "the models was trained on: this is no honest comparison."
        )
    if comparison.pretrained_on:
        told.append(
            f"{comparison.pretrained_on:,} of the {comparison.n:,} rows are about images that a "
            "base was pretrained on; it may know their answers before any adapter learns."
        )
    if comparison.spelled_otherwise:
        told.append(
            f"The references of {comparison.spelled_otherwise:,} rows are spelled differently in "
            "the two runs; metrics that heed case or marks differ for that too."
        )
    if comparison.asked_differently:
        told.append(
            f"The models were asked differently: {'; '.join(comparison.asked_differently)}."
        )
    told += [
        f"{label(metric.metric)}: only {metric.n:,} of the {comparison.n:,} questions have a score "
        "in both runs, and are compared."
        for metric in comparison.metrics
        if metric.n < comparison.n
    ]
    if comparison.units < FEW_UNITS:
        units = counted(comparison.units, comparison.noun)
        told.append(f"With {units}, intervals and p-values are rough.")
    return told


def p_text(p_value: float) -> str:
    """Return a p-value for people."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:z.3f}"  # noqa: PLR2004


def _headline(comparison: RunComparison, first: MetricDifference) -> str:
    gain = first.difference
    is_exact = first.metric == EXACT_MATCH.name
    verb, what = ("answers", "") if is_exact else ("scores", f" {label(first.metric)}")
    if gain.ci95 is None or gain.p_value is None:
        only = f"one {comparison.noun} only."
        word = "fewer" if gain.mean < 0 else "more"
        return (
            f"Run “{comparison.other}” {verb} {abs(100 * gain.mean):z.1f} points{what} {word} than "
            f"“{comparison.base}”; {only}"
        )
    low, high = (100 * bound for bound in gain.ci95)
    if not gain.is_clear:
        return (
            f"No clear difference between “{comparison.other}” and “{comparison.base}”: "
            f"{100 * gain.mean:+z.1f} points{what}, 95 % interval {low:+z.1f} to {high:+z.1f}, "
            f"{p_text(gain.p_value)}."
        )
    word = "more" if gain.mean > 0 else "fewer"
    low, high = sorted((abs(low), abs(high)))
    return (
        f"Run “{comparison.other}” {verb} {abs(100 * gain.mean):z.1f} points{what} {word} than "
        f"“{comparison.base}”, 95 % interval {low:z.1f} to {high:z.1f}, {p_text(gain.p_value)}."
    )


def _differences(
    gains: Gains, drawn: Sequence[Difference | None]
) -> tuple[list[MetricDifference], dict[str, Difference]]:
    """Return the difference of each metric, and of the first by the type of question."""
    found = []
    for (metric, sides), difference in zip(gains.scores.items(), drawn, strict=False):
        if difference is None:
            raise InputError(f"{metric}: no question has a score in both runs; leave it out")
        known_N = ~np.isnan(sides[1] - sides[0])
        before, after = (float(side_N[known_N].mean()) for side_N in sides)
        n = int(known_N.sum())
        found.append(MetricDifference(metric, n, before, after, difference, None))
    p_values = holm_known([each.difference.p_value for each in found])
    by_type = zip(gains.types, drawn[len(gains.scores) :], strict=True)
    return (
        [replace(each, p_holm=p) for each, p in zip(found, p_values, strict=True)],
        {kind: difference for kind, difference in by_type if difference is not None},
    )
