"""The same question in several runs: which rows belong together, and what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.intervals import bootstrap_means, percentile_interval
from evaluator.run_folder import Run
from shared.answers import exact_match
from shared.records import Prediction

Key = tuple[str, str, int]


@dataclass(frozen=True)
class PairedRows:
    """For each question that all runs answered, its row in each run.

    ``rows`` has one tuple for each question, in the first run's order, with one index for each
    run. ``missing`` counts the questions that some run lacks.
    """

    rows: Sequence[tuple[int, ...]]
    missing: int


@dataclass(frozen=True)
class Difference:
    """How much more one run scores than another: the mean, and its 95 % interval over images."""

    mean: float
    ci95: tuple[float, float] | None

    @property
    def is_clear(self) -> bool:
        """Tell whether the interval leaves out zero."""
        return self.ci95 is not None and not self.ci95[0] <= 0.0 <= self.ci95[1]


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
    images = sorted({before.pair.filename for before, _ in kept})
    place = {image: index for index, image in enumerate(images)}
    sums = np.zeros((len(images), 1))
    counts = np.zeros((len(images), 1))
    for before, after in kept:
        sums[place[before.pair.filename]] += correct(after) - correct(before)
        counts[place[before.pair.filename]] += 1
    means = bootstrap_means(sums, counts)
    interval = percentile_interval(means[:, 0]) if len(images) > 1 else None
    return Difference(float(sums.sum() / counts.sum()), interval)


def _places(predictions: Sequence[Prediction]) -> Mapping[Key, int]:
    seen: Counter[tuple[str, str]] = Counter()
    places: dict[Key, int] = {}
    for index, prediction in enumerate(predictions):
        name = (prediction.pair.id, prediction.pair.answer)
        places[*name, seen[name]] = index
        seen[name] += 1
    return places
