"""Figures over rows and groups of rows, with intervals, formed from tallies; and their JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.corpus import STATISTIC_UNIT, CorpusFigure, is_statistic
from evaluator.metrics.registry import corpus_figure
from evaluator.scoring.sums.intervals import Part, bootstrap_sums, percentile_interval
from evaluator.scoring.sums.tally import UNIT, Tally, units_of_cells
from shared.questions.types import question_types

FREQUENCIES: Final = ("frequent", "common", "rare")
"""Of the reference among all references: the 10 most frequent, the next 90, the rest."""

AGREEMENTS: Final = ("agrees", "unknown", "disagrees")
"""What the listing says to the reference; rows that nobody asked about are in no group."""


@dataclass(frozen=True)
class Figure:
    """One metric over a set of rows.

    ``mean`` is the mean of the scores, or, for BLEU and METEOR, the figure of all rows together.
    ``std`` is that of the scores (divisor n); ``ci95`` is a 95 % bootstrap interval of the mean
    over units, ``None`` when there is but one. ``n`` counts the rows that have a score.
    """

    mean: float
    std: float
    n: int
    ci95: tuple[float, float] | None


@dataclass(frozen=True)
class Group:
    """Figures for ``n`` rows; a metric that has a score for none of them is left out."""

    n: int
    metrics: Mapping[str, Figure]


@dataclass(frozen=True)
class Breakdown(Group):
    """Figures for all rows, and for each question type, answer frequency, agreement and domain."""

    by_question_type: Mapping[str, Group]
    by_answer_frequency: Mapping[str, Group]
    by_agreement: Mapping[str, Group]
    by_domain: Mapping[str, Group]


def break_down(tally: Tally) -> Breakdown:
    """Form all figures of a tally, with intervals from one common set of resamples."""
    everything = np.ones(len(tally.cells), dtype=np.bool_)
    kinds = np.array([cell.question_type for cell in tally.cells], dtype=object)
    ranks = np.array([cell.answer_frequency for cell in tally.cells], dtype=object)
    agreed = np.array([cell.agreement for cell in tally.cells], dtype=object)
    domains = np.array([cell.domain for cell in tally.cells], dtype=object)
    parts: list[tuple[str, str, NDArray[np.bool_]]] = [("all", "", everything)]
    parts += [("type", kind, kinds == kind) for kind in question_types() if kind in kinds]
    parts += [("frequency", rank, ranks == rank) for rank in FREQUENCIES if rank in ranks]
    parts += [("agreement", word, agreed == word) for word in AGREEMENTS if word in agreed]
    parts += [("domain", name, domains == name) for name in sorted(set(domains) - {""})]
    groups = dict(
        zip(
            ((family, name) for family, name, _ in parts),
            _groups(tally, [mask for *_, mask in parts]),
            strict=True,
        )
    )
    whole = groups["all", ""]

    def of(wanted: str) -> Mapping[str, Group]:
        return {name: group for (family, name), group in groups.items() if family == wanted}

    return Breakdown(
        whole.n, whole.metrics, of("type"), of("frequency"), of("agreement"), of("domain")
    )


def whole_group(tally: Tally) -> Group:
    """Form the figures of all rows alone."""
    return _groups(tally, [np.ones(len(tally.cells), dtype=np.bool_)])[0]


def _groups(tally: Tally, masks: list[NDArray[np.bool_]]) -> list[Group]:
    cell_unit = units_of_cells(tally.cells)
    parts = []
    for mask in masks:
        # Cells are in the order of their units, so that a unit's cells stand together.
        places, first = np.unique(cell_unit[mask], return_index=True)
        both = np.hstack([tally.sums_CM[mask], tally.counts_CM[mask]])
        by_unit = np.add.reduceat(both, first, axis=0) if len(places) else both
        parts.append(Part(by_unit.astype(np.float64), places))
    sums = bootstrap_sums(int(cell_unit[-1]) + 1 if len(cell_unit) else 0, parts)
    return [
        _group(tally, mask, np.count_nonzero(counts_UM, axis=0), sums_RM / UNIT, counts_RM)
        for mask, (sums_RM, counts_RM), (_, counts_UM) in zip(
            masks,
            (np.hsplit(part_RK, 2) for part_RK in sums),
            (np.hsplit(part.values_PK, 2) for part in parts),
            strict=True,
        )
    ]


def _group(
    tally: Tally,
    mask: NDArray[np.bool_],
    units_M: NDArray[np.int64],
    sums_RM: NDArray[np.float64],
    counts_RM: NDArray[np.float64],
) -> Group:
    totals_M = tally.sums_CM[mask].sum(axis=0) / UNIT
    figures = {}
    for index, metric in enumerate(tally.metrics):
        n = int(tally.counts_CM[mask, index].sum())
        if not n or is_statistic(metric):
            continue
        mean = totals_M[index] / n
        square = int(tally.squares_CM[mask, index].sum()) / UNIT / n
        with np.errstate(invalid="ignore"):
            figure, figures_R = mean, sums_RM[:, index] / counts_RM[:, index]
        corpus = corpus_figure(metric)
        if corpus is not None:
            figure = _figures_of_sets(corpus, tally.metrics, totals_M[None])[0]
            figures_R = _figures_of_sets(corpus, tally.metrics, sums_RM)
        figures[metric] = Figure(
            mean=float(figure),
            std=float(max(0.0, square - mean**2) ** 0.5),
            n=n,
            ci95=percentile_interval(figures_R) if units_M[index] > 1 else None,
        )
    return Group(int(tally.rows_C[mask].sum()), figures)


def _figures_of_sets(
    corpus: CorpusFigure, names: Sequence[str], sums_RM: NDArray[np.float64]
) -> NDArray[np.float64]:
    places = [names.index(name) for name in corpus.counter.columns]
    return corpus.figures(sums_RM[:, places] * STATISTIC_UNIT)


def breakdown_json(breakdown: Breakdown) -> dict[str, Any]:
    """Return a breakdown as files hold it."""
    return {
        **_group_json(breakdown),
        "by_question_type": groups_json(breakdown.by_question_type),
        "by_answer_frequency": groups_json(breakdown.by_answer_frequency),
        "by_agreement": groups_json(breakdown.by_agreement),
        "by_domain": groups_json(breakdown.by_domain),
    }


def groups_json(groups: Mapping[str, Group]) -> dict[str, Any]:
    """Return groups as files hold them."""
    return {name: _group_json(group) for name, group in groups.items()}


def _group_json(group: Group) -> dict[str, Any]:
    return {"n": group.n, "metrics": figures_json(group.metrics)}


def figures_json(figures: Mapping[str, Figure]) -> dict[str, Any]:
    """Return figures as files hold them."""
    return {
        name: {
            "mean": figure.mean,
            "std": figure.std,
            "n": figure.n,
            "ci95": None if figure.ci95 is None else list(figure.ci95),
        }
        for name, figure in figures.items()
    }


def breakdown_from(value: Mapping[str, Any]) -> Breakdown:
    """Return what ``breakdown_json`` gave."""
    whole = _group_from(value)
    return Breakdown(
        whole.n,
        whole.metrics,
        groups_from(value["by_question_type"]),
        groups_from(value["by_answer_frequency"]),
        groups_from(value["by_agreement"]),
        # Scorecards of before have none.
        groups_from(value.get("by_domain", {})),
    )


def groups_from(value: Mapping[str, Any]) -> dict[str, Group]:
    """Return what ``groups_json`` gave."""
    return {name: _group_from(group) for name, group in value.items()}


def _group_from(value: Mapping[str, Any]) -> Group:
    return Group(int(value["n"]), figures_from(value["metrics"]))


def figures_from(value: Mapping[str, Any]) -> dict[str, Figure]:
    """Return what ``figures_json`` gave."""
    return {
        name: Figure(
            mean=float(figure["mean"]),
            std=float(figure["std"]),
            n=int(figure["n"]),
            ci95=None if figure["ci95"] is None else (figure["ci95"][0], figure["ci95"][1]),
        )
        for name, figure in value.items()
    }
