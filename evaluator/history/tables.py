"""The history on a terminal."""

from __future__ import annotations

from typing import Final

from rich import box
from rich.markup import escape
from rich.table import Table

from evaluator.history.changes import summary
from evaluator.history.history import DataHistory, Step
from evaluator.history.leaderboard import Place
from evaluator.metrics.registry import label
from evaluator.scoring.figures import Figure
from shared.dataset.units import counted
from shared.program.reporting import table_widths

_DAY_WIDTH: Final = len("~2026-11-29")
"""A day is not cut in two; its hour may stand below it."""
_GAIN_WIDTH: Final = len("(+18.4 to +29.7)")
_NAME_WIDTH: Final = len("adapter_sha256,")
"""No figure and no usual fact is cut in two."""


def runs_table(of_data: DataHistory) -> Table:
    """Return the runs about one data in time, and what changed from each to the next."""
    table = _table(f"{of_data.title}: {counted(len(of_data.steps), 'run')} in time")
    table.caption, table.caption_justify = of_data.time_note or None, "left"
    table.add_column("run", overflow="fold")
    table.add_column("finished\n(UTC)", min_width=_DAY_WIDTH)
    table.add_column(label(of_data.metric.name), justify="right", min_width=table_widths.MEAN)
    table.add_column("gain on the run before", justify="right", min_width=_GAIN_WIDTH)
    table.add_column("changed", overflow="fold", min_width=_NAME_WIDTH)
    for step in of_data.steps:
        figure = step.entry.scorecard.scores.metrics.get(of_data.metric.name)
        asked = " + ".join(filter(None, (step.entry.model, step.entry.adapter)))
        table.add_row(
            f"{escape(step.entry.name)}\n[dim]{escape(asked)}[/dim]",
            escape(step.finished),
            "-" if figure is None else f"{figure.mean:z.4f}",
            gain_text(step).replace(" (", "\n("),
            escape(summary(step.changed)),
        )
    return table


def leaderboard_table(of_data: DataHistory) -> Table:
    """Return who leads, with intervals; runs of one place are a tie."""
    table = _table(f"{of_data.title}: best first by {label(of_data.metric.name)}")
    if any(place.is_tie for place in of_data.places):
        table.caption = (
            "Runs of one place are a tie: none is clearly worse than the first of them (paired "
            "bootstrap, Holm)."
        )
    table.caption_justify = "left"
    for heading in ("place", "run", "mean", "95 % interval", "n"):
        table.add_column(heading, justify="left" if heading == "run" else "right")
    for place in of_data.places:
        table.add_row(
            place_text(place),
            escape(place.entry.name),
            f"{place.figure.mean:z.4f}",
            interval_text(place.figure),
            f"{place.figure.n:,}",
        )
    return table


def place_text(place: Place) -> str:
    """Return a place in words."""
    if place.place is None:
        return "-"
    return f"{place.place} (tie)" if place.is_tie else f"{place.place}"


def gain_text(step: Step) -> str:
    """Return how much more a run scores than the one before, in points."""
    if step.gain is None:
        return "-"
    gain = step.gain.difference
    if gain.ci95 is None:
        return f"{100 * gain.mean:+z.1f}"
    low, high = gain.ci95
    return f"{100 * gain.mean:+z.1f} ({100 * low:+z.1f} to {100 * high:+z.1f})"


def interval_text(figure: Figure) -> str:
    """Return an interval, or a dash."""
    return "-" if figure.ci95 is None else f"{figure.ci95[0]:z.3f}-{figure.ci95[1]:z.3f}"


def _table(title: str) -> Table:
    return Table(
        title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, padding=table_widths.CLOSE
    )
