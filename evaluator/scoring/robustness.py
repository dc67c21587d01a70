"""What a model scores under a change of pictures or questions, as the scorecard has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from evaluator.scoring.figures import (
    Breakdown,
    Figure,
    breakdown_from,
    breakdown_json,
    figures_from,
    figures_json,
)
from evaluator.scoring.sums.columns import Columns
from shared.records import Prediction


@dataclass(frozen=True)
class ChangedAnswers:
    """The answers under a change, and the scores of each; they lie beside the scorecard."""

    predictions: Sequence[Prediction]
    columns: Columns


@dataclass(frozen=True)
class Robustness:
    """The figures under one change, on a sample of the rows.

    ``signature`` says what was changed, and how strongly. ``drop`` is what each score loses, row by
    row: that of the run as it is, less that under the change. ``other_answers`` is the share of
    answers that are others, once normalised. ``left_out`` counts the sample's questions that were
    not asked: no rule puts them in other words. ``answers`` is ``None`` where it was read.
    """

    signature: str
    images: int
    left_out: int
    scores: Breakdown
    drop: Mapping[str, Figure]
    other_answers: Figure
    answers: ChangedAnswers | None = field(default=None, compare=False, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return it as the scorecard's file has it."""
        return {
            "signature": self.signature,
            "images": self.images,
            "left_out": self.left_out,
            **breakdown_json(self.scores),
            "drop": figures_json(self.drop),
            "other_answers": figures_json({"share": self.other_answers})["share"],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return what ``to_json`` gave."""
        return cls(
            signature=str(value["signature"]),
            images=int(value["images"]),
            left_out=int(value["left_out"]),
            scores=breakdown_from(value),
            drop=figures_from(value["drop"]),
            other_answers=figures_from({"share": value["other_answers"]})["share"],
        )
