"""The scorecard: the figures of one run and of its controls, and its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from evaluator.scoring.cost import Cost
from evaluator.scoring.coverage import AtCoverage
from evaluator.scoring.figures import (
    Breakdown,
    Figure,
    Group,
    breakdown_from,
    breakdown_json,
    figures_from,
    figures_json,
    groups_from,
    groups_json,
)
from evaluator.scoring.judged import Judged
from evaluator.scoring.right_labels import RightLabels
from evaluator.scoring.robustness import Robustness
from shared.corpus import read_json, write_json
from shared.errors import InputError

FORMAT: Final = 2


@dataclass(frozen=True)
class Scorecard:
    """What one run scored, beside what those score on the same rows who did not see the picture.

    ``units`` counts what intervals draw, products or images, and ``clustered_by`` says which.
    ``prior`` is the question-only prior. ``shuffled`` is the same model, shown the picture of
    another question, on a sample of the rows. ``over_prior`` and ``over_shuffled`` hold the paired
    differences, row by row: how much of each score needs the picture. They are empty where there
    is no such control. ``constants`` is what giving one answer to every question scores.
    ``signatures`` says for each metric which model, version and options it used; ``provenance``
    is whatever the caller knows about how the answers were made. ``right_labels`` is what people
    who judged a sample of the labels make of exact match; ``None`` where nobody did.
    ``at_coverage`` is exact match among the surest answers; empty where none has a confidence.
    ``robustness`` is what the same model scores under changes of pictures and questions, by the
    change as one types it; empty where none was asked for.
    ``judged`` is what else is known of a judge's verdicts, ``None`` where no model judged.
    ``failed_answers`` counts rows that a model behind an address gave no answer to. ``cost`` is
    what the answers took, ``None`` where nobody measured; it tells no two scorecards apart.
    """

    images: int
    units: int
    clustered_by: str
    broken_images: int
    scores: Breakdown
    prior: Breakdown | None
    over_prior: Mapping[str, Figure]
    shuffled: Breakdown | None
    over_shuffled: Mapping[str, Figure]
    constants: Mapping[str, Group]
    signatures: Mapping[str, str]
    provenance: Mapping[str, Any]
    right_labels: RightLabels | None = None
    at_coverage: tuple[AtCoverage, ...] = ()
    robustness: Mapping[str, Robustness] = field(default_factory=dict)
    judged: Judged | None = None
    failed_answers: int = 0
    cost: Cost | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``scorecard.json`` and ``--json`` hold."""
        return {
            "format": FORMAT,
            **breakdown_json(self.scores),
            "prior": None if self.prior is None else breakdown_json(self.prior),
            "over_prior": figures_json(self.over_prior),
            "shuffled": None if self.shuffled is None else breakdown_json(self.shuffled),
            "over_shuffled": figures_json(self.over_shuffled),
            "constants": groups_json(self.constants),
            "images": self.images,
            "units": self.units,
            "clustered_by": self.clustered_by,
            "broken_images": self.broken_images,
            "failed_answers": self.failed_answers,
            "right_labels": self.right_labels and self.right_labels.to_json(),
            "at_coverage": [asdict(each) for each in self.at_coverage],
            "robustness": {name: each.to_json() for name, each in self.robustness.items()},
            "judged": self.judged and self.judged.to_json(),
            "cost": self.cost and self.cost.to_json(),
            "signatures": dict(self.signatures),
            "provenance": dict(self.provenance),
        }


def _right_labels_from(value: Mapping[str, Any] | None) -> RightLabels | None:
    return None if value is None else RightLabels.from_json(value)


def _judged_from(value: Mapping[str, Any] | None) -> Judged | None:
    return None if value is None else Judged.from_json(value)


def _at_coverage_from(value: Mapping[str, Any]) -> AtCoverage:
    ci95 = None if value["ci95"] is None else (value["ci95"][0], value["ci95"][1])
    return AtCoverage(float(value["coverage"]), float(value["accuracy"]), int(value["n"]), ci95)


def _cost_from(value: Mapping[str, Any] | None) -> Cost | None:
    return None if value is None else Cost.from_json(value)


def write_scorecard(scorecard: Scorecard, path: Path) -> None:
    """Write ``scorecard`` as JSON, whole or not at all."""
    write_json(scorecard.to_json(), path)


def read_scorecard(path: Path) -> Scorecard:
    """Read what ``write_scorecard`` wrote.

    Raises:
        InputError: the file is missing, no scorecard, or of another version.
    """
    value = read_json(path)
    if value.get("format") != FORMAT:
        raise InputError(f"{path}: not a scorecard of format {FORMAT}; score the run again")
    try:
        return Scorecard(
            images=int(value["images"]),
            # Scorecards of before drew images.
            units=int(value.get("units", value["images"])),
            clustered_by=str(value.get("clustered_by", "image")),
            broken_images=int(value["broken_images"]),
            failed_answers=int(value.get("failed_answers", 0)),
            scores=breakdown_from(value),
            prior=None if value["prior"] is None else breakdown_from(value["prior"]),
            over_prior=figures_from(value["over_prior"]),
            shuffled=None if value["shuffled"] is None else breakdown_from(value["shuffled"]),
            over_shuffled=figures_from(value["over_shuffled"]),
            constants=groups_from(value["constants"]),
            signatures=dict(value["signatures"]),
            provenance=dict(value["provenance"]),
            right_labels=_right_labels_from(value.get("right_labels")),
            # Scorecards of before have none.
            at_coverage=tuple(map(_at_coverage_from, value.get("at_coverage", []))),
            robustness={
                str(name): Robustness.from_json(each)
                for name, each in value.get("robustness", {}).items()
            },
            judged=_judged_from(value.get("judged")),
            cost=_cost_from(value.get("cost")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: a damaged scorecard ({error!r}); score the run again") from error
