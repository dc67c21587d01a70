"""Risk against coverage as the report draws it: how often the surest answers are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluator.runs.folder import Run
from evaluator.scoring.coverage import AtCoverage, Surest


@dataclass(frozen=True)
class Selective:
    """Coverage and accuracy, from few answers to all, and at the shares that are told."""

    points: Sequence[tuple[float, float]]
    at_coverage: Sequence[AtCoverage]


def selective(run: Run) -> Selective | None:
    """Return a run's curve; ``None`` where no answer has a confidence."""
    # Units decide intervals alone, which the scorecard has.
    surest = Surest.of(run.predictions, [""] * len(run.predictions))
    return None if surest is None else Selective(surest.curve(), run.scorecard.at_coverage)
