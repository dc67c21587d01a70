"""A temperature and a threshold for a model's confidence, fitted on answers with references."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from evaluator.scoring.coverage import Surest
from shared.errors import InputError

_CERTAIN: Final = 1e-6
FEWEST: Final = 20
"""So many answers have to lie above a threshold for their accuracy to say something."""
_WIDEST: Final = 4.0
"""The logarithm of the temperature is looked for this far to either side of 0."""


def chances(confidence_N: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Return the chances that belong to confidences; an answer without one (below 0) has none."""
    near_N = np.clip(confidence_N, _CERTAIN, 1 - _CERTAIN)
    chance_N = 1 / (1 + np.exp(-np.log(near_N / (1 - near_N)) / temperature))
    return np.where(confidence_N < 0, 0.0, chance_N)


def log_loss(chance_N: NDArray[np.float64], right_N: NDArray[np.float64]) -> float:
    """Return the mean negative logarithm of the chance that was given to what happened."""
    near_N = np.clip(chance_N, _CERTAIN, 1 - _CERTAIN)
    return float(-(right_N * np.log(near_N) + (1 - right_N) * np.log(1 - near_N)).mean())


def fit_temperature(surest: Surest) -> float:
    """Return the temperature at which confidences are the likeliest chances of being right."""

    def loss(log_temperature: float) -> float:
        temperature = float(np.exp(log_temperature))
        return log_loss(chances(surest.confidence_N, temperature), surest.right_N)

    found = minimize_scalar(loss, bounds=(-_WIDEST, _WIDEST), method="bounded")
    return float(np.exp(found.x))


def threshold_for_accuracy(surest: Surest, temperature: float, accuracy: float) -> float:
    """Return the least chance above which answers are right as often as wanted.

    Raises:
        InputError: the surest answers are not right so often.
    """
    chance_N = chances(surest.confidence_N, temperature)
    reached_N = np.cumsum(surest.right_N) / np.arange(1, len(chance_N) + 1)
    # Answers that are equally sure are taken together.
    ends_N = np.append(chance_N[1:] < chance_N[:-1], True)
    possible = np.flatnonzero(ends_N & (reached_N >= accuracy))
    possible = possible[possible >= min(FEWEST, len(chance_N)) - 1]
    if not len(possible):
        best = reached_N[min(FEWEST, len(chance_N)) - 1]
        raise InputError(
            f"--accuracy {accuracy:g}: not reached: the surest {min(FEWEST, len(chance_N))} "
            f"answers are right in {100 * best:z.1f} %; give a lower one, or --coverage"
        )
    return float(chance_N[possible[-1]])


def threshold_for_coverage(surest: Surest, temperature: float, coverage: float) -> float:
    """Return the chance above which the wanted share of the answers lies."""
    chance_N = chances(surest.confidence_N, temperature)
    return float(chance_N[max(0, int(np.ceil(coverage * len(chance_N))) - 1)])
