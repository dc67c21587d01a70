"""The report: one HTML file about one or several runs, complete in itself.

This module gathers values; ``report.html.j2`` says what stands where, ``report.css`` how it
looks, ``report.js`` filters the pictures. All three end up inside the page, which asks the network
for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from evaluator.comparison import PRIOR_NAME, best_rows, compare_scorecards
from evaluator.metrics import LABELS, Metric
from evaluator.pairing import pair_rows
from evaluator.report.dot_plot import DotPlot, dot_plot
from evaluator.report.findings import findings
from evaluator.report.gallery import choose_cards, count_outcomes
from evaluator.run_folder import Run
from shared.corpus import atomic_path
from shared.errors import InputError
from shared.progress import report_progress

_HERE: Final = Path(__file__).parent
_COLOURS: Final = 5
"""Kinds of marks that ``report.css`` has for runs."""


def write_report(runs: Sequence[Run], path: Path, *, images: Path | None) -> None:
    """Write the page about ``runs``, the first of which is the base of comparison.

    Args:
        runs: finished runs, with names of their own.
        path: where to write, whole or not at all.
        images: where the pictures lie; by default where the first run that knows says so.

    Raises:
        InputError: the image folder is missing, or the page cannot be written.
    """
    folder = images or next((run.images for run in runs if run.images is not None), None)
    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder}: no such image folder; name it with --images")
    page = render_report(runs, folder)
    with atomic_path(path) as part:
        part.write_text(page, encoding="utf-8")


def render_report(runs: Sequence[Run], images: Path | None) -> str:
    """Return the page as HTML; ``images`` is the folder with the pictures, if any."""
    comparison = compare_scorecards({run.name: run.scorecard for run in runs})
    paired = pair_rows(runs)
    with report_progress("choosing pictures for the report", 1) as progress:
        cards = choose_cards(runs, paired, images)
        progress.advance()
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        runs=runs,
        marks=_marks([row.name for row in comparison.rows], len(runs)),
        findings=findings(runs),
        comparison=comparison,
        best=best_rows(comparison),
        plot=_plot(runs),
        labels=LABELS,
        outcomes=count_outcomes(runs, paired),
        paired=paired,
        cards=cards,
        provenance={run.name: _provenance(run) for run in runs},
        style=Markup((_HERE / "report.css").read_text(encoding="utf-8")),  # noqa: S704 (ours)
        script=Markup((_HERE / "report.js").read_text(encoding="utf-8")),  # noqa: S704 (ours)
    )


def _marks(names: Sequence[str], runs: int) -> Mapping[str, str]:
    """Return the CSS class that gives each contestant its colour and shape."""
    priors = len(names) - runs
    return {
        name: "prior" if index < priors else f"run-{(index - priors) % _COLOURS}"
        for index, name in enumerate(names)
    }


def _plot(runs: Sequence[Run]) -> DotPlot:
    first = runs[0].scorecard
    metrics = list(first.scores.metrics)
    metric = Metric.EXACT_MATCH.value if Metric.EXACT_MATCH in metrics else metrics[0]
    series = [] if first.prior is None else [(PRIOR_NAME, first.prior)]
    return dot_plot(metric, [*series, *((run.name, run.scorecard.scores) for run in runs)])


def _provenance(run: Run) -> Sequence[tuple[str, str]]:
    """Return what is known about a run as names and texts, inner tables by dotted names."""
    known = {**run.settings, **run.scorecard.provenance}
    # A page travels; where this machine keeps its pictures concerns nobody else.
    known.pop("images", None)
    known |= {f"signature of {name}": text for name, text in run.scorecard.signatures.items()}
    return list(_flat(known))


def _flat(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield prefix + name, value if isinstance(value, str) else json.dumps(value)
