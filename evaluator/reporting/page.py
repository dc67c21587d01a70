"""The report: one HTML file about one or several runs, complete in itself.

This module gathers values; of ``templates``, ``report.html.j2`` and what it includes say what
stands where, ``report.css`` how it looks, ``report.js`` filters the pictures. All end up inside the
page, which asks the network for nothing. Examples beyond the first few lie in a folder beside it,
see ``beside``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from evaluator.comparing.drops import compare_drops, drop_sentences
from evaluator.comparing.pairing import PairedRows, pair_rows
from evaluator.comparing.several import attempt_all
from evaluator.comparing.side_by_side import PRIOR_NAME, best_rows, compare_scorecards
from evaluator.metrics.registry import label
from evaluator.metrics.texts.exact_match import METRIC as EXACT_MATCH
from evaluator.reporting.beside import Beside, remove_beside, write_beside
from evaluator.reporting.charts.confusion import confusion
from evaluator.reporting.charts.cost_plot import cost_plot
from evaluator.reporting.charts.distributions import distributions
from evaluator.reporting.charts.dot_plot import DotPlot, dot_plot
from evaluator.reporting.charts.drops import drops_plot
from evaluator.reporting.charts.reliability import reliability
from evaluator.reporting.charts.selective import selective
from evaluator.reporting.findings import findings
from evaluator.reporting.gallery import Outcome, arrange, choose_cards, count_outcomes
from evaluator.reporting.published import published_rows
from evaluator.reporting.verdict import quoted, verdict
from evaluator.runs.folder import Run
from evaluator.runs.record import shown_facts
from evaluator.scoring.figures import Breakdown, Group
from shared.files.atomic import atomic_path
from shared.images.source import image_source
from shared.images.stores import local_images

_TEMPLATES: Final = Path(__file__).with_name("templates")
_COLOURS: Final = 5
"""Kinds of marks that ``report.css`` has for runs."""


def write_report(
    runs: Sequence[Run], path: Path, *, images: str | None, with_rest: bool = True
) -> None:
    """Write the page about ``runs``, the first of which is the base of comparison.

    Args:
        runs: finished runs, with names of their own.
        path: where to write, whole or not at all.
        images: the folder or URL of the pictures; by default of the first run that knows it.
        with_rest: whether the examples that the page has no room for go into a folder beside it.

    Raises:
        InputError: the image folder is missing, or the page cannot be written.
    """
    place = images or next((run.images for run in runs if run.images), None)
    source = image_source(local_images(place)) if place else None
    environment = _environment()
    marks, words = _marks(runs), outcome_words(runs)
    show = environment.get_template("card.html.j2").module.show  # type: ignore[attr-defined]
    legend = environment.get_template("marks.html.j2").module.legend  # type: ignore[attr-defined]
    keys = {run.name: legend(marks[run.name]) for run in runs}
    paired = pair_rows(runs)
    chosen, rest = arrange(runs, paired)
    beside = Beside((), 0)
    if rest and with_rest:
        beside = write_beside(
            path,
            runs,
            rest,
            source,
            lambda card: str(show(card, words, keys)),
            first_number=len(chosen),
        )
    else:
        remove_beside(path)
    cards = choose_cards(runs, chosen, source)
    html = environment.get_template("report.html.j2").render(
        **_values(runs, paired),
        marks=marks,
        words=words,
        keys=keys,
        cards=cards,
        heated=any(answer.heat for card in cards for answer in card.answers),
        boxed=any(card.boxes for card in cards),
        beside=beside,
    )
    with atomic_path(path) as part:
        part.write_text(html, encoding="utf-8")


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _values(runs: Sequence[Run], paired: PairedRows) -> dict[str, Any]:
    """Return all that the page says beside its pictures."""
    comparison = compare_scorecards({run.name: run.scorecard for run in runs})
    attempts = attempt_all(runs)
    drops = compare_drops(runs)
    return {
        "runs": runs,
        "verdict": verdict(runs, attempts),
        "findings": findings(runs, attempts),
        "clustered_by": " and by ".join(dict.fromkeys(run.scorecard.clustered_by for run in runs)),
        "comparison": comparison,
        "best": best_rows(comparison),
        "published": published_rows(runs),
        "differences": attempts,
        "plots": _plots(runs),
        "coverages": {run.name: selective(run) for run in runs},
        "reliabilities": {run.name: reliability(run.predictions) for run in runs},
        "costs": {run.name: run.scorecard.cost for run in runs if run.scorecard.cost},
        "cost_plot": cost_plot(runs),
        "distributions": distributions(runs),
        "confusion": confusion(runs[-1].predictions),
        "drops": drops_plot(runs),
        "drop_differences": drops,
        "drops_say": drop_sentences(runs, drops),
        "label": label,
        "outcomes": count_outcomes(runs, paired),
        "types": _types(runs),
        "paired": paired,
        "provenance": {
            run.name: shown_facts(run.record, run.scorecard.provenance, run.scorecard.signatures)
            for run in runs
        },
        "style": Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),  # noqa: S704
        "script": Markup((_TEMPLATES / "report.js").read_text(encoding="utf-8")),  # noqa: S704
    }


def outcome_words(runs: Sequence[Run]) -> Mapping[str, tuple[str, str]]:
    """Return the name of each outcome and what it means between these runs."""
    first, last = runs[0].name, runs[-1].name
    several = len(runs) > 1
    return {
        Outcome.FIXED.value: ("Fixed", f"wrong in {quoted(first)}, right in {quoted(last)}"),
        Outcome.BROKEN.value: ("Broken", f"right in {quoted(first)}, wrong in {quoted(last)}"),
        Outcome.CORRECT.value: (
            "Correct",
            "right in both" if several else "the answer equals the reference",
        ),
        Outcome.WRONG.value: (
            "Wrong",
            "wrong in both" if several else "the answer differs from the reference",
        ),
    }


def _types(runs: Sequence[Run]) -> Sequence[str]:
    return list(
        dict.fromkeys(kind for run in runs for kind in run.scorecard.scores.by_question_type)
    )


def _marks(runs: Sequence[Run]) -> Mapping[str, str]:
    """Return the CSS class that gives each contestant its colour and shape, priors first."""
    comparison = compare_scorecards({run.name: run.scorecard for run in runs})
    names = [row.name for row in comparison.rows]
    priors = len(names) - len(runs)
    return {
        name: "prior" if index < priors else f"run-{(index - priors) % _COLOURS}"
        for index, name in enumerate(names)
    }


@dataclass(frozen=True)
class _Plot:
    """A dot plot with its heading and the name of what its bands are."""

    key: str
    heading: str
    band: str
    drawing: DotPlot


def _plots(runs: Sequence[Run]) -> list[_Plot]:
    first = runs[0].scorecard
    metrics = list(first.scores.metrics)
    metric = EXACT_MATCH.name if EXACT_MATCH.name in metrics else metrics[0]
    contestants = [] if first.prior is None else [(PRIOR_NAME, first.prior)]
    contestants += [(run.name, run.scorecard.scores) for run in runs]
    name = label(metric)
    wanted: list[tuple[str, str, str, Callable[[Breakdown], Mapping[str, Group]]]] = [
        ("types", f"{name} by type of question", "Type", lambda b: b.by_question_type),
        (
            "frequency",
            f"{name} by how frequent the reference is",
            "Reference",
            lambda b: b.by_answer_frequency,
        ),
        (
            "agreement",
            f"{name} by what the listing says to the reference",
            "Listing",
            lambda b: b.by_agreement,
        ),
        ("domain", f"{name} by domain", "Domain", lambda b: b.by_domain),
    ]
    return [
        _Plot(key, heading, band, dot_plot(metric, [(who, of(b)) for who, b in contestants]))
        for key, heading, band, of in wanted
        # A single band would say once more what the table says.
        if key == "types" or any(len(of(breakdown)) > 1 for _, breakdown in contestants)
    ]
