"""Who leads among runs on the same data: best first, with intervals, and ties called ties.

The best run is compared with each other, with Holm's correction; whoever is not clearly worse
shares its place. Of the rest, the best one leads the next place, and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from evaluator.comparing.differences import MetricDifference, compare_runs
from evaluator.comparing.significance import CLEAR, holm_known
from evaluator.history.entries import Entry
from evaluator.metrics.metric import Metric
from evaluator.runs.folder import Run
from evaluator.scoring.figures import Figure
from shared.errors import InputError

_RESAMPLES: Final = 4000


@dataclass(frozen=True)
class Place:
    """A run's place from 1; runs that share one are a tie. ``reason`` says why it has none."""

    entry: Entry
    figure: Figure
    place: int | None
    is_tie: bool
    reason: str = ""


Runs = Callable[[Entry], Run]
"""Reads a run whole; asked again, it remembers."""


def difference_of(base: Entry, other: Entry, metric: Metric, runs: Runs) -> MetricDifference | str:
    """Return how much more ``other`` scores than ``base``, or why that cannot be told."""
    try:
        compared = compare_runs(runs(base), runs(other), [metric], resamples=_RESAMPLES)
    except InputError as error:
        return str(error)
    return compared.metrics[0]


def leaderboard(entries: Sequence[Entry], metric: Metric, runs: Runs) -> list[Place]:
    """Return the runs that have a figure of ``metric``, best first; last those without a place."""
    left = sorted(
        (entry for entry in entries if metric.name in entry.scorecard.scores.metrics),
        key=lambda entry: -_figure(entry, metric).mean,
    )
    places: list[Place] = []
    unplaced: list[Place] = []
    while left:
        leader, *others = left
        tied, left, refused = _of_leader(leader, others, metric, runs)
        number = len(places) + 1
        places += [
            Place(entry, _figure(entry, metric), number, is_tie=bool(tied))
            for entry in (leader, *tied)
        ]
        unplaced += [
            Place(entry, _figure(entry, metric), None, is_tie=False, reason=reason)
            for entry, reason in refused
        ]
    return [*places, *unplaced]


def _of_leader(
    leader: Entry, others: Sequence[Entry], metric: Metric, runs: Runs
) -> tuple[list[Entry], list[Entry], list[tuple[Entry, str]]]:
    """Return who shares the leader's place, who does not, and who cannot be held against it."""
    compared: list[tuple[Entry, MetricDifference]] = []
    refused: list[tuple[Entry, str]] = []
    for entry in others:
        found = difference_of(leader, entry, metric, runs)
        if isinstance(found, str):
            refused.append((entry, found))
        else:
            compared.append((entry, found))
    p_values = holm_known([found.difference.p_value for _, found in compared])
    tied: list[Entry] = []
    worse: list[Entry] = []
    for (entry, _), p_value in zip(compared, p_values, strict=True):
        (worse if p_value is not None and p_value < CLEAR else tied).append(entry)
    return tied, worse, refused


def _figure(entry: Entry, metric: Metric) -> Figure:
    return entry.scorecard.scores.metrics[metric.name]
