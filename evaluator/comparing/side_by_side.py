"""Runs side by side as plain values: what the terminal's table and the report's both show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isclose
from typing import Final

from evaluator.metrics import registry
from evaluator.scoring.figures import Breakdown, Figure
from evaluator.scoring.scorecard import Scorecard

PRIOR_NAME: Final = "question-only prior"
_ALIKE: Final = 1e-6
"""Means that differ by less are one, and no table shows as many digits."""


@dataclass(frozen=True)
class Column:
    """A metric by its signature: figures of two definitions or two models never share a column."""

    metric: str
    signature: str

    @property
    def label(self) -> str:
        """Return the metric's name for people."""
        return registry.label(self.metric)

    @property
    def model(self) -> str:
        """Return the model behind the metric with the layer read, or nothing."""
        return text_model(self.signature)

    @property
    def digest(self) -> str:
        """Return the short hash that the signature ends with, or nothing."""
        last = self.signature.rpartition("|")[2]
        return last if last.startswith("#") else ""


@dataclass(frozen=True)
class Contestant:
    """A run or a prior; a column that it has no figure for is missing from ``figures``."""

    name: str
    n: int
    figures: Mapping[Column, Figure]


@dataclass(frozen=True)
class Comparison:
    """Contestants over columns; the prior, where there is one, comes first."""

    columns: tuple[Column, ...]
    rows: tuple[Contestant, ...]


def compare_scorecards(scorecards: Mapping[str, Scorecard]) -> Comparison:
    """Put scorecards, by name, side by side with the prior of each set of rows."""
    priors: list[Contestant] = []
    for name, scorecard in scorecards.items():
        if scorecard.prior is None:
            continue
        label = PRIOR_NAME if not priors else f"{PRIOR_NAME} ({name})"
        prior = _row(label, scorecard.prior, scorecard.signatures)
        known = next((place for place, each in enumerate(priors) if _are_one(each, prior)), None)
        if known is None:
            priors.append(prior)
        else:
            figures = {**prior.figures, **priors[known].figures}
            priors[known] = replace(priors[known], figures=figures)
    rows = [
        *priors,
        *(_row(name, card.scores, card.signatures) for name, card in scorecards.items()),
    ]
    # The runs decide the order of columns: the prior may lack some.
    columns = dict.fromkeys(column for row in rows[len(priors) :] for column in row.figures)
    return Comparison(tuple(columns), tuple(rows))


def text_model(signature: str) -> str:
    """Return the text model that a metric's signature names, with its layer; else nothing."""
    parts = signature.split("|")
    if "@" not in parts[0]:
        return ""
    layer = f", {parts[1]}" if len(parts) > 1 and parts[1].startswith("layer ") else ""
    return parts[0].partition("@")[0] + layer


def _row(name: str, breakdown: Breakdown, signatures: Mapping[str, str]) -> Contestant:
    figures = {
        Column(metric, signatures.get(metric, "")): figure
        for metric, figure in breakdown.metrics.items()
    }
    return Contestant(name, breakdown.n, figures)


def _are_one(first: Contestant, other: Contestant) -> bool:
    """Return whether two priors are one: its runs may have other metrics, or order their rows anew.

    A mean of a model's scores may differ in its last digits by how they fell into batches.
    """
    both = first.figures.keys() & other.figures.keys()
    return (
        first.n == other.n
        and bool(both)
        and all(
            first.figures[column].n == other.figures[column].n
            and isclose(first.figures[column].mean, other.figures[column].mean, abs_tol=_ALIKE)
            for column in both
        )
    )


def best_rows(comparison: Comparison) -> Mapping[Column, Sequence[str]]:
    """Return, for each column, the names of the rows with the highest mean."""
    best = {}
    for column in comparison.columns:
        means = {
            row.name: row.figures[column].mean for row in comparison.rows if column in row.figures
        }
        top = max(means.values())
        best[column] = [name for name, mean in means.items() if mean == top]
    return best


def label_notes(scorecard: Scorecard) -> list[str]:
    """Return what people who judged labels or answers make of the scores, where they did."""
    notes = [] if scorecard.right_labels is None else [scorecard.right_labels.note()]
    return notes if scorecard.judged is None else [*notes, *scorecard.judged.notes()]


def trained_on_notes(scorecard: Scorecard) -> list[str]:
    """Return what a reader must know of scored images that the model had been given before."""
    facts = scorecard.provenance.get("trained_on")
    if not facts:
        return []
    notes = []
    of_images, of_scored = (f"of {facts[which]:,} images" for which in ("of_images", "scored"))
    if facts["images"] and facts["became"] == "included":
        notes.append(
            f"The model was trained on {facts['images']:,} {of_images} that are scored: this is "
            "no score on unseen images."
        )
    elif facts["images"]:
        notes.append(f"{facts['images']:,} {of_images}, trained on by the model, are left out.")
    if facts["chosen_by"]:
        notes.append(
            f"{facts['chosen_by']:,} {of_scored} had decided which epoch was kept: on them the "
            "score is a little too good."
        )
    if facts["pretrained_on"]:
        notes.append(
            f"The base was pretrained on {facts['pretrained_on']:,} {of_scored}: on them this is "
            "no score on unseen images."
        )
    return notes
