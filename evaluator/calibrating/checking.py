"""A model's sureness, fitted on a run about validation data and checked on one about others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evaluator.answering.sureness import Sureness, model_of
from evaluator.calibrating.fitting import (
    FEWEST,
    chances,
    fit_temperature,
    log_loss,
    threshold_for_accuracy,
    threshold_for_coverage,
)
from evaluator.metrics.metric import Metric
from evaluator.metrics.texts.exact_match import METRIC as EXACT_MATCH
from evaluator.runs.folder import Run
from evaluator.scoring.coverage import AtCoverage, Surest, accuracy_at, is_right
from evaluator.scoring.sums.intervals import bootstrap_means, percentile_interval
from shared.dataset.units import counted, units_of
from shared.errors import InputError
from shared.records import share_of

_BINS: Final = 10


@dataclass(frozen=True)
class Checked:
    """What a sureness does on one run: the share that is sure, and how often that is right.

    Each has a 95 % interval by units. ``ece`` and ``log_loss`` are of chances, and before them of
    plain confidences.
    """

    n: int
    coverage: float
    coverage_ci95: tuple[float, float] | None
    accuracy: float | None
    accuracy_ci95: tuple[float, float] | None
    ece: tuple[float, float]
    log_loss: tuple[float, float]
    at_coverage: Sequence[AtCoverage]

    def to_json(self) -> dict[str, Any]:
        """Return it as an object."""
        return {
            "n": self.n,
            "coverage": self.coverage,
            "coverage_ci95": self.coverage_ci95 and list(self.coverage_ci95),
            "accuracy": self.accuracy,
            "accuracy_ci95": self.accuracy_ci95 and list(self.accuracy_ci95),
            "ece_before": self.ece[0],
            "ece": self.ece[1],
            "log_loss_before": self.log_loss[0],
            "log_loss": self.log_loss[1],
            "at_coverage": [
                {
                    "coverage": each.coverage,
                    "accuracy": each.accuracy,
                    "n": each.n,
                    "ci95": each.ci95 and list(each.ci95),
                }
                for each in self.at_coverage
            ],
        }


def fitted(
    validation: Run,
    accuracy: float | None,
    coverage: float | None,
    metric: Metric = EXACT_MATCH,
    *,
    check: Run | None = None,
) -> Sureness:
    """Return the sureness that a run's answers support.

    Args:
        validation: a run whose answers have confidences.
        accuracy: how often a sure answer is to be right; or
        coverage: the share of answers that is to be sure.
        metric: what says whether an answer is right: exact match, or a judge.
        check: the run of the same model that it is checked on, which may know the model where a
            scored file does not.

    Raises:
        InputError: the metric is not the run's, or no matter of right or wrong; or the answers have
            no confidences, are too few, or are never right so often.
    """
    surest = _surest(validation, metric)
    if len(surest.right_N) < FEWEST:
        raise InputError(
            f"{validation.name}: {counted(len(surest.right_N), 'answer')} say too little to fit "
            f"on; give a run of {FEWEST} or more"
        )
    temperature = fit_temperature(surest)
    if accuracy is not None:
        threshold = threshold_for_accuracy(surest, temperature, accuracy)
    else:
        threshold = threshold_for_coverage(surest, temperature, coverage or 1.0)
    known = (model_of(run.scorecard.provenance) for run in (validation, check) if run)
    return Sureness(temperature, threshold, next(filter(None, known), {}))


def checked(sureness: Sureness, run: Run, metric: Metric = EXACT_MATCH) -> Checked:
    """Return what a sureness does on a run, where ``metric`` says whether an answer is right."""
    surest = _surest(run, metric)
    chance_N = chances(surest.confidence_N, sureness.temperature)
    sure_N = (chance_N >= sureness.threshold).astype(np.float64)
    units = int(surest.unit_N.max()) + 1
    counts = [_by_unit(values_N, surest.unit_N) for values_N in (sure_N, sure_N * surest.right_N)]
    sums_U2 = np.stack(counts, axis=1)
    of_U2 = np.stack([_by_unit(np.ones_like(sure_N), surest.unit_N), counts[0]], axis=1)
    drawn_R2 = bootstrap_means(sums_U2, of_U2) if units > 1 else None
    plain_N = np.clip(surest.confidence_N, 0, 1)
    return Checked(
        n=len(sure_N),
        coverage=float(sure_N.mean()),
        coverage_ci95=None if drawn_R2 is None else percentile_interval(drawn_R2[:, 0]),
        accuracy=float(surest.right_N[sure_N > 0].mean()) if sure_N.any() else None,
        accuracy_ci95=None if drawn_R2 is None else percentile_interval(drawn_R2[:, 1]),
        ece=(_ece(plain_N, surest.right_N), _ece(chance_N, surest.right_N)),
        log_loss=(log_loss(plain_N, surest.right_N), log_loss(chance_N, surest.right_N)),
        at_coverage=accuracy_at(surest),
    )


def require_other_data(validation: Run, check: Run) -> None:
    """Check that two runs are of one model, about different pictures.

    Raises:
        InputError: they share a picture, or another model answered.
    """
    images = [
        {p.pair.filename for p in run.predictions if p.pair.names_image}
        for run in (validation, check)
    ]
    shared = images[0] & images[1]
    if shared:
        raise InputError(
            f"{validation.name} and {check.name} share {counted(len(shared), 'picture')}, such as "
            f"{min(shared)}; what was fitted on a picture is not checked on it"
        )
    models = [model_of(run.scorecard.provenance) for run in (validation, check)]
    differing = [name for name in models[0] if models[0][name] != models[1].get(name)]
    if differing:
        raise InputError(
            f"{validation.name} and {check.name} were answered by different models "
            f"({', '.join(differing)} differ); give two runs of one"
        )


def _surest(run: Run, metric: Metric) -> Surest:
    right_N = _right(run, metric)
    # What a judge left unsaid is neither right nor wrong.
    places = np.flatnonzero(~np.isnan(right_N)).tolist()
    rows = [run.predictions[place] for place in places]
    units = units_of(prediction.pair for prediction in run.predictions)
    of_rows = [units[prediction.pair.filename] for prediction in rows]
    said = [p.confidence for p in rows if p.confidence is not None]
    if outside := [each for each in said if share_of(each) is None]:
        raise InputError(
            f"{run.name}: a confidence of {outside[0]:g} is no chance from 0 to 1; give such ones"
        )
    found = Surest.of(rows, of_rows, right_N[places])
    if found is None:
        raise InputError(
            f"{run.name}: its answers have no confidences, so nothing says what is sure"
        )
    return found


def _right(run: Run, metric: Metric) -> NDArray[np.float64]:
    """Return for each answer whether it is right by ``metric``, NaN where that is not known."""
    if metric is EXACT_MATCH:
        return np.array([is_right(row) for row in run.predictions], dtype=np.float64)
    if metric.name not in run.columns:
        raise InputError(
            f"--metric {metric}: {run.name} was not scored by it; it has {', '.join(run.columns)}"
        )
    right_N = run.columns[metric.name]
    if not np.isin(right_N[~np.isnan(right_N)], (0.0, 1.0)).all():
        raise InputError(
            f"--metric {metric}: tells no right answers from wrong ones; give exact_match or judge"
        )
    return right_N


def _by_unit(values_N: NDArray[np.float64], unit_N: NDArray[np.int64]) -> NDArray[np.float64]:
    sums_U: NDArray[np.float64] = np.bincount(unit_N, weights=values_N).astype(np.float64)
    return sums_U


def _ece(chance_N: NDArray[np.float64], right_N: NDArray[np.float64]) -> float:
    """Return the expected calibration error over bins of equal width."""
    place_N = np.minimum((chance_N * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(place_N, weights=chance_N - right_N, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(chance_N))
