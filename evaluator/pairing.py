"""The same question in several runs: which rows belong together, and what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.run_folder import Run
from evaluator.significance import Difference, paired_difference
from shared.answers import exact_match
from shared.records import Prediction, QAPair
from shared.units import units_of

Key = tuple[str, str, int]


@dataclass(frozen=True)
class PairedRows:
    """For each question that all runs answered, its row in each run.

    ``rows`` has one tuple for each question, in the first run's order, with one index for each
    run. ``missing`` counts the questions that some run lacks.
    """

    rows: Sequence[tuple[int, ...]]
    missing: int


def pair_rows(runs: Sequence[Run]) -> PairedRows:
    """Match rows of equal id and reference; a repeated one by the order of its repeats."""
    places = [_places(run.predictions) for run in runs]
    common = [key for key in places[0] if all(key in place for place in places[1:])]
    everything = set().union(*places)
    return PairedRows(
        [tuple(place[key] for place in places) for key in common], len(everything) - len(common)
    )


def correct(prediction: Prediction) -> bool:
    """Tell whether an answer equals its reference once normalised, and its picture was seen."""
    return not prediction.broken_image and exact_match(prediction.answer, prediction.pair.answer)


def exact_match_gain(base: Run, other: Run, paired: PairedRows) -> Difference:
    """Return how much more ``other`` answers exactly than ``base``, in [-1, 1].

    Args:
        base: one run.
        other: the run that is compared with it.
        paired: rows of exactly these two runs.
    """
    kept = [(base.predictions[one], other.predictions[two]) for one, two in paired.rows]
    gains_N = np.array([correct(after) - correct(before) for before, after in kept], np.float64)
    units = units_between(base, other)
    return paired_difference(gains_N, [units[before.pair.filename] for before, _ in kept])


def units_between(base: Run, other: Run) -> Mapping[str, str]:
    """Return the unit of each image; what either run joins is joined."""
    everything = [*base.predictions, *other.predictions]
    return units_of(prediction.pair for prediction in everything)


def differing_rows(base: Run, other: Run) -> tuple[list[QAPair], list[QAPair]]:
    """Return the pairs that only ``base`` answers, and those that only ``other`` does."""
    places = [_places(run.predictions) for run in (base, other)]
    return (
        [base.predictions[row].pair for key, row in places[0].items() if key not in places[1]],
        [other.predictions[row].pair for key, row in places[1].items() if key not in places[0]],
    )


def _places(predictions: Sequence[Prediction]) -> Mapping[Key, int]:
    seen: Counter[tuple[str, str]] = Counter()
    places: dict[Key, int] = {}
    for index, prediction in enumerate(predictions):
        name = (prediction.pair.id, prediction.pair.answer)
        places[*name, seen[name]] = index
        seen[name] += 1
    return places
