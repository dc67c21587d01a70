"""The history of some runs: by data, the runs in time with what changed, and the leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from evaluator.comparing.differences import MetricDifference
from evaluator.history.changes import Change, changes
from evaluator.history.entries import Entry, Unread, find_entries
from evaluator.history.leaderboard import Place, Runs, difference_of, leaderboard
from evaluator.history.same_data import groups_by_data
from evaluator.metrics.choice import one_metric
from evaluator.metrics.metric import Metric
from evaluator.metrics.registry import METRICS, corpus_figure
from evaluator.metrics.texts.exact_match import METRIC as EXACT_MATCH
from evaluator.runs.folder import Run, read_run
from evaluator.runs.status import utc
from shared.dataset.units import counted
from shared.errors import InputError

FILE_TIME: Final = "~"
"""Stands before times that are a file's."""


@dataclass(frozen=True)
class Step:
    """A run, and what changed since the one before on the same data; nothing before the first.

    ``gain`` is how much more it scores; where that cannot be told, ``reason`` says why.
    """

    entry: Entry
    changed: Sequence[Change]
    gain: MetricDifference | None
    reason: str

    @property
    def finished(self) -> str:
        """Return when the run was finished, to the minute."""
        mark = "" if self.entry.is_noted else FILE_TIME
        return mark + utc(self.entry.finished_at)[:16].replace("T", " ")


@dataclass(frozen=True)
class DataHistory:
    """The runs about one data, the oldest first, and who leads by ``metric``."""

    data: str
    metric: Metric
    steps: Sequence[Step]
    places: Sequence[Place]

    @property
    def time_note(self) -> str:
        """Return what is said of times that no run noted; "" where all did."""
        if all(step.entry.is_noted for step in self.steps):
            return ""
        return f"{FILE_TIME} the folder says no time: its scorecard was written, or copied, then."

    @property
    def title(self) -> str:
        """Return what the data is called, and how large it is."""
        scorecard = self.steps[-1].entry.scorecard
        size = counted(scorecard.scores.n, "question")
        size += f" on {counted(scorecard.images, 'image')}" if scorecard.images else ""
        return f"{self.data}, {size}" if self.data else size


@dataclass(frozen=True)
class History:
    """All runs by data; ``unread`` are folders that hold no finished run."""

    data: Sequence[DataHistory]
    unread: Sequence[Unread]

    def to_json(self) -> dict[str, Any]:
        """Return what ``evaluator history --json`` prints."""
        return {
            "data": [_data_json(of_data) for of_data in self.data],
            "left_out": [{"run": run.name, "reason": run.reason} for run in self.unread],
        }


def read_history(folders: Sequence[Path], metric: str | None = None) -> History:
    """Read all finished runs in and below some folders.

    Args:
        folders: run folders, or folders of them.
        metric: by which the leaderboard goes; by default exact match, or the first that a run has.

    Raises:
        InputError: a folder is missing, no run is finished, no run has the metric, or
            runs cannot be ranked by it.
    """
    chosen = None if metric is None else one_metric(metric)
    if chosen and corpus_figure(chosen.name):
        raise InputError(
            f"--metric {chosen}: is a figure of the whole set, so no difference has an interval "
            "and nothing tells ties; give another one"
        )
    entries, unread = find_entries(folders)
    if chosen and all(chosen.name not in e.scorecard.scores.metrics for e in entries):
        known = dict.fromkeys(name for e in entries for name in e.scorecard.scores.metrics)
        raise InputError(f"--metric {chosen}: no run has it; they have: {', '.join(known)}")
    # Two at a time are compared; some more are kept, as of 50,000 rows each takes 100 MB.
    whole = lru_cache(maxsize=6)(read_run)

    def read(entry: Entry) -> Run:
        return replace(whole(entry.folder), name=entry.name)

    return History(
        [_of_data(group, chosen, read) for group in groups_by_data(entries)],
        unread,
    )


def _of_data(entries: Sequence[Entry], chosen: Metric | None, runs: Runs) -> DataHistory:
    metric = chosen or _metric_of(entries)
    steps = [Step(entries[0], (), None, "")]
    for before, after in pairwise(entries):
        found = difference_of(before, after, metric, runs)
        changed = changes(before.facts, after.facts)
        if isinstance(found, str):
            steps.append(Step(after, changed, None, found))
        else:
            steps.append(Step(after, changed, found, ""))
    data = next(filter(None, (entry.data for entry in entries)), "")
    return DataHistory(data, metric, steps, leaderboard(entries, metric, runs))


def _metric_of(entries: Sequence[Entry]) -> Metric:
    names = [name for entry in entries for name in entry.scorecard.scores.metrics]
    return EXACT_MATCH if EXACT_MATCH.name in names else METRICS[names[0]]


def _data_json(of_data: DataHistory) -> dict[str, Any]:
    return {
        "data": of_data.data,
        "metric": of_data.metric.name,
        "runs": [_step_json(step, of_data.metric) for step in of_data.steps],
        "leaderboard": [
            {
                "run": place.entry.name,
                "place": place.place,
                "tie": place.is_tie,
                "mean": place.figure.mean,
                "ci95": place.figure.ci95 and list(place.figure.ci95),
                "reason": place.reason,
            }
            for place in of_data.places
        ],
    }


def _step_json(step: Step, metric: Metric) -> dict[str, Any]:
    entry = step.entry
    figure = entry.scorecard.scores.metrics.get(metric.name)
    gain = step.gain and step.gain.difference
    return {
        "run": entry.name,
        "folder": entry.place,
        "finished_at": utc(entry.finished_at),
        "finished_at_is_file_time": not entry.is_noted,
        "model": entry.model,
        "adapter": entry.adapter,
        "n": entry.scorecard.scores.n,
        "mean": figure and figure.mean,
        "ci95": list(figure.ci95) if figure and figure.ci95 else None,
        "gain": gain and gain.mean,
        "gain_ci95": list(gain.ci95) if gain and gain.ci95 else None,
        "gain_reason": step.reason,
        "changed": [
            {"fact": each.fact, "before": each.before, "after": each.after} for each in step.changed
        ],
    }
