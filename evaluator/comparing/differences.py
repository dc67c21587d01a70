"""Compares two runs on the same questions: by how much one is better, and how sure that is.

Refuses what cannot be compared: other questions or references, or metrics that were measured
differently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

from evaluator.comparing.pairing import (
    PairedRows,
    correct,
    differing_rows,
    other_references,
    pair_rows,
    spelled_otherwise,
    units_between,
    why_none_pair,
)
from evaluator.comparing.significance import (
    CLEAR,
    Difference,
    McNemar,
    holm,
    mcnemar_exact,
    paired_difference,
)
from evaluator.metrics.metric import Metric
from evaluator.metrics.registry import corpus_figure, label
from evaluator.metrics.texts.exact_match import METRIC as EXACT_MATCH
from evaluator.runs.folder import Run
from shared.dataset.units import counted, independent_unit
from shared.errors import InputError
from shared.questions.types import QUESTION_TYPES, question_type
from shared.records import QAPair

SHOWN: Final = 3
"""Differing rows that a refusal names."""
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
    whose reference is the same but for its spelling.
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

    @property
    def noun(self) -> str:
        """Return what a unit is, in one word."""
        return self.clustered_by.partition(",")[0]

    def to_json(self) -> dict[str, Any]:
        """Return what ``evaluator compare --json`` prints."""
        return {**asdict(self), "says": sentences(self)}


def compare_runs(base: Run, other: Run, chosen: Sequence[Metric] | None = None) -> RunComparison:
    """Compare two runs.

    Args:
        base: the run to start from.
        other: the run that may be better.
        chosen: which metrics; by default all that both have.

    Raises:
        InputError: the runs are about different data, no metric is in both, or one was measured
            differently in each.
    """
    _require_same_data(base, other)
    metrics = _common_metrics(base, other, chosen)
    paired = pair_rows([base, other])
    units = units_between(base, other)
    differences = {metric: _difference(base, other, paired, metric, units) for metric in metrics}
    corrected = _corrected([of_metric.difference for of_metric in differences.values()])
    compared = [
        (base.predictions[before].pair, other.predictions[after].pair)
        for before, after in paired.rows
    ]
    unit_of_row = [units[pair.filename] for pair, _ in compared]
    right = [
        np.array([correct(run.predictions[row[place]]) for row in paired.rows])
        for place, run in enumerate((base, other))
    ]
    return RunComparison(
        base.name,
        other.name,
        len(paired.rows),
        len({pair.filename for pair, _ in compared if pair.names_image}),
        len(set(unit_of_row)),
        independent_unit([pair for both in compared for pair in both]),
        paired.missing,
        sum(before.trained_on or after.trained_on for before, after in compared),
        sum(before.pretrained_on or after.pretrained_on for before, after in compared),
        spelled_otherwise([base, other], paired),
        [
            replace(of_metric, p_holm=p_holm)
            for of_metric, p_holm in zip(differences.values(), corrected, strict=True)
        ],
        _by_question_type(base, other, paired, metrics[0], units),
        mcnemar_exact(right[0], right[1], unit_of_row),
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
        f"Exactly right in {comparison.other} alone: {test.only_other:,}; in {comparison.base} "
        f"alone: {test.only_base:,} (McNemar's exact test, each {comparison.noun} as a whole: "
        f"{p_text(test.p_value)})."
    )
    return [*lines, *_cautions(comparison)]


def _cautions(comparison: RunComparison) -> list[str]:
    cautions = []
    if comparison.left_out:
        cautions.append(
            f"{comparison.left_out:,} rows that one of the models was trained on are left out."
        )
    if comparison.trained_on:
        cautions.append(
            f"{comparison.trained_on:,} of the {comparison.n:,} rows are about images that one of "
            "the models was trained on: this is no honest comparison."
        )
    if comparison.pretrained_on:
        cautions.append(
            f"{comparison.pretrained_on:,} of the {comparison.n:,} rows are about images that a "
            "base was pretrained on; it may know their answers before any adapter learns."
        )
    if comparison.spelled_otherwise:
        cautions.append(
            f"The references of {comparison.spelled_otherwise:,} rows are spelled differently in "
            "the two runs; metrics that heed case or marks differ for that too."
        )
    if comparison.units < FEW_UNITS:
        units = counted(comparison.units, comparison.noun)
        cautions.append(f"With {units}, intervals and p-values are rough.")
    return cautions


def p_text(p_value: float) -> str:
    """Return a p-value for people."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"  # noqa: PLR2004


def _headline(comparison: RunComparison, first: MetricDifference) -> str:
    gain = first.difference
    is_exact = first.metric == EXACT_MATCH.name
    verb, what = ("answers", "") if is_exact else ("scores", f" {label(first.metric)}")
    if gain.ci95 is None or gain.p_value is None:
        only = f"one {comparison.noun} only."
        return f"{comparison.other} {verb} {100 * gain.mean:+.1f} points{what}; {only}"
    low, high = (100 * bound for bound in gain.ci95)
    if not gain.is_clear:
        return (
            f"No clear difference between {comparison.other} and {comparison.base}: "
            f"{100 * gain.mean:+.1f} points{what}, 95 % interval {low:+.1f} to {high:+.1f}, "
            f"{p_text(gain.p_value)}."
        )
    word = "more" if gain.mean > 0 else "fewer"
    low, high = sorted((abs(low), abs(high)))
    return (
        f"{comparison.other} {verb} {abs(100 * gain.mean):.1f} points{what} {word} than "
        f"{comparison.base}, 95 % interval {low:.1f} to {high:.1f}, {p_text(gain.p_value)}."
    )


def _require_same_data(base: Run, other: Run) -> None:
    only_base, only_other = differing_rows(base, other)
    if not only_base and not only_other:
        return
    asked = {_asked_for(run) for run in (base, other)}
    if len(asked) == 1 and None not in asked:
        if not pair_rows([base, other]).rows:
            raise InputError(
                f"{base.name} and {other.name} have no row in common that neither model was "
                "trained on; give data that both have not seen"
            )
        return
    names = f"{base.name} and {other.name}"
    if len(only_base) == len(base.predictions) and (why := why_none_pair(base, other)):
        raise InputError(f"{names} have no row in common: {why}")
    twins = other_references(only_base, only_other)
    if len(twins) == len(only_base) == len(only_other):
        raise InputError(
            f"{names} answer the same questions, but {len(twins):,} have "
            f"another reference: {_twins_text(twins)}; score both against the same references"
        )
    parts = [
        f"{len(pairs):,} {'row is' if len(pairs) == 1 else 'rows are'} only in {run.name}: "
        + "; ".join(_row_text(pair) for pair in pairs[:SHOWN])
        + ("; and others" if len(pairs) > SHOWN else "")
        for run, pairs in ((base, only_base), (other, only_other))
        if pairs
    ]
    raise InputError(
        f"{names} answer different data, so their scores do not compare. " + ". ".join(parts)
    )


def _asked_for(run: Run) -> str | None:
    """Return the digest of the rows before those were left out that the model was trained on."""
    trained_on = run.record.trained_on
    return trained_on.asked_sha256 if trained_on else run.record.data_sha256


def _twins_text(twins: Sequence[tuple[QAPair, QAPair]]) -> str:
    more = "; and others" if len(twins) > SHOWN else ""
    return (
        "; ".join(f"{_row_text(pair)} and {twin.answer!r}" for pair, twin in twins[:SHOWN]) + more
    )


def _row_text(pair: QAPair) -> str:
    return f"{pair.filename} {pair.question!r} = {pair.answer!r}"


def _common_metrics(base: Run, other: Run, chosen: Sequence[Metric] | None) -> list[str]:
    common = (name for name in base.columns if name in other.columns)
    both = [name for name in common if corpus_figure(name) is None]
    wanted = both if chosen is None else [metric.name for metric in chosen]
    missing = [name for name in wanted if name not in both]
    if missing or not wanted:
        raise InputError(
            f"{base.name} and {other.name}: no common figures for "
            f"{', '.join(missing) or 'any metric'}; both have: {', '.join(both) or 'none'}"
        )
    signatures = [run.scorecard.signatures for run in (base, other)]
    differing = [name for name in wanted if len({of_run.get(name) for of_run in signatures}) > 1]
    if differing:
        ways = "; ".join(
            f"{name}: {signatures[0].get(name)!r} against {signatures[1].get(name)!r}"
            for name in differing
        )
        alike = ",".join(name for name in both if name not in differing)
        way_out = f", or leave out what differs: --metrics {alike}" if alike else ""
        raise InputError(
            f"{base.name} and {other.name} were measured differently ({ways}); score both in the "
            f"same way{way_out}"
        )
    return wanted


def _difference(
    base: Run, other: Run, paired: PairedRows, metric: str, units: Mapping[str, str]
) -> MetricDifference:
    rows = np.array(paired.rows)
    before_N, after_N = base.columns[metric][rows[:, 0]], other.columns[metric][rows[:, 1]]
    known_N = ~(np.isnan(before_N) | np.isnan(after_N))
    if not known_N.any():
        raise InputError(f"{metric}: no question has a score in both runs; leave it out")
    unit_of_row = [units[base.predictions[row].pair.filename] for row in rows[known_N, 0]]
    return MetricDifference(
        metric,
        int(known_N.sum()),
        float(before_N[known_N].mean()),
        float(after_N[known_N].mean()),
        paired_difference(after_N[known_N] - before_N[known_N], unit_of_row),
        None,
    )


def _corrected(differences: Sequence[Difference]) -> list[float | None]:
    p_values = [difference.p_value for difference in differences]
    values = iter(holm([p_value for p_value in p_values if p_value is not None]))
    return [None if p_value is None else next(values) for p_value in p_values]


def _by_question_type(
    base: Run, other: Run, paired: PairedRows, metric: str, units: Mapping[str, str]
) -> dict[str, Difference]:
    groups: dict[str, list[tuple[int, ...]]] = {}
    for row in paired.rows:
        kind = question_type(base.predictions[row[0]].pair.question)
        groups.setdefault(kind, []).append(row)
    by_type = {}
    for kind in (name for name in QUESTION_TYPES if name in groups):
        part = PairedRows(groups[kind], 0)
        try:
            by_type[kind] = _difference(base, other, part, metric, units).difference
        except InputError:
            continue  # no row of this type has a score
    return by_type
