"""CSNS, the combined semantic and numeric similarity of the report, equations 1 to 8.

Pure arithmetic; the cosines come from ``evaluator.metrics.text_models.embeddings``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.meaning.number_words import spelled_number
from shared.questions.answers import normalise

ALPHA: Final = 5.0
"""How fast a relative error loses points (eq. 4)."""
EPSILON: Final = 1e-6
"""Keeps the relative error finite for a reference of 0 (eq. 4)."""


def parse_number(answer: str) -> float | None:
    """Return the finite number that an answer is, or ``None`` where it is text (eq. 2 and 3).

    The number is read *after* normalisation, since the report normalises before every metric. So
    a sign and a decimal point are gone: "-5" counts as 5 and "3.5" as 35, on both sides alike.
    Number words ("two") are text.

    Deviation: the report takes whatever Python's ``float`` takes, which includes "nan", "inf" and
    "infinity"; here only finite numbers count.
    """
    try:
        number = float(normalise(answer))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def parse_number_or_word(answer: str) -> float | None:
    """Return what ``parse_number`` does, and the value of a number that is spelled out."""
    number = parse_number(answer)
    return spelled_number(answer) if number is None else number


def csns(
    answers: Sequence[str],
    references: Sequence[str],
    cosines_N: NDArray[np.float64],
    *,
    alpha: float = ALPHA,
    epsilon: float = EPSILON,
    number: Callable[[str], float | None] = parse_number,
) -> NDArray[np.float64]:
    """Return CSNS for each row, shape (N,), in [0, 1].

    Both numeric: ``exp(-alpha * |p - a| / (|a| + epsilon))`` with answer p and reference a
    (eq. 4); else the cosine of the two sentence embeddings, not below 0 (eq. 5 to 8).

    Args:
        answers: N raw answers of the model.
        references: N raw references.
        cosines_N: the cosine of each row's normalised strings.
        alpha: decay of the numeric score.
        epsilon: added to the reference's magnitude.
        number: what counts as a number; ``parse_number`` as published, or
            ``parse_number_or_word``, by which "two" equals "2".
    """
    scores = text_similarity(cosines_N)
    found = _numbers(answers, number)
    wanted = _numbers(references, number)
    numeric = ~np.isnan(found) & ~np.isnan(wanted)
    with np.errstate(over="ignore"):  # a hopeless relative error is infinite and scores 0
        error = np.abs(found - wanted)[numeric] / (np.abs(wanted[numeric]) + epsilon)
        scores[numeric] = np.exp(-alpha * error)
    return scores


def text_similarity(cosines_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``max(0, cosine)`` for each row, cut at 1 against rounding (eq. 8)."""
    return np.clip(cosines_N, 0.0, 1.0)


def _numbers(texts: Sequence[str], number: Callable[[str], float | None]) -> NDArray[np.float64]:
    parsed = {text: number(text) for text in set(texts)}
    return np.array([parsed[text] for text in texts], dtype=np.float64)
