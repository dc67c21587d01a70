"""CSNS, the combined semantic and numeric similarity of the AIM825 report, equations 1 to 8.

The arithmetic is pure; the cosines come from ``evaluator.metrics.text_models.embeddings``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.meaning.number_words import spelled_number
from evaluator.metrics.metric import Metric, MetricGroup
from evaluator.metrics.rows import Rows
from evaluator.metrics.text_models.loaded import TextModel, TextModels, needed
from shared.questions.answers import normalise

NAME: Final = "csns"
ALPHA: Final = 5.0
"""How fast a relative error loses points (eq. 4)."""
EPSILON: Final = 1e-6
"""Keeps the relative error finite for a reference of 0 (eq. 4)."""


def parse_number(answer: str) -> float | None:
    """Return the finite number that an answer is, or ``None`` where it is text (eq. 2 and 3).

    The number is read *after* normalisation, since the AIM825 report normalises before every
    metric. So a sign and a decimal point are gone: "-5" counts as 5 and "3.5" as 35, on both sides
    alike. Number words ("two") are text.

    Deviation: the AIM825 report takes whatever Python's ``float`` takes, which includes "nan",
    "inf" and "infinity"; here only finite numbers count.
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

    >>> csns(["3", "navy"], ["4", "blue"], np.array([0.8, 0.6])).round(4)
    array([0.2865, 0.6   ])
    """
    scores = text_similarity(cosines_N)
    answered = _numbers(answers, number)
    wanted = _numbers(references, number)
    numeric = ~np.isnan(answered) & ~np.isnan(wanted)
    with np.errstate(over="ignore"):  # a hopeless relative error is infinite and scores 0
        error = np.abs(answered - wanted)[numeric] / (np.abs(wanted[numeric]) + epsilon)
        scores[numeric] = np.exp(-alpha * error)
    return scores


def text_similarity(cosines_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``max(0, cosine)`` for each row, cut at 1 against rounding (eq. 8)."""
    return np.clip(cosines_N, 0.0, 1.0)


def _numbers(texts: Sequence[str], number: Callable[[str], float | None]) -> NDArray[np.float64]:
    parsed = {text: number(text) for text in set(texts)}
    return np.array([parsed[text] for text in texts], dtype=np.float64)


def _score(rows: Rows, models: TextModels) -> NDArray[np.float64]:
    number = parse_number_or_word if models.number_words else parse_number
    sentences = needed(models.sentences, NAME)
    return rows.best(lambda a, r: csns(a, r, sentences.cosines(a, r), number=number))


def _definition(models: TextModels, _provenance: Mapping[str, Any]) -> str:
    numbers = "digits and number words" if models.number_words else "digits"
    sentences = needed(models.sentences, NAME)
    return f"{sentences.signature}|alpha {ALPHA:g}|eps {EPSILON:g}|{numbers}"


METRIC: Final = Metric(
    name=NAME,
    label="CSNS",
    score=_score,
    definition=_definition,
    models=frozenset({TextModel.SENTENCES}),
    by_default=True,
    groups=frozenset({MetricGroup.ALL}),
    of_constants=True,
    shows_spread=True,
)
