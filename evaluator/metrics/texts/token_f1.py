"""Metrics that need no model: what the characters and words of two answers share.

Every function takes raw answers and references of equal length N, normalises them and returns
one score in [0, 1] for each row, shape (N,), float64.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from evaluator.metrics.rows import each_distinct
from shared.questions.answers import exact_match as same_answer
from shared.questions.answers import normalise, words


def exact_match(answers: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
    """Return 1 where the normalised strings are equal, else 0."""
    return each_distinct(lambda a, r: float(same_answer(a, r)), answers, references)


def token_f1(answers: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
    """Return the F1 of the two bags of words, as SQuAD counts it.

    Deviation: SQuAD also drops articles; the normalisation of this project keeps them. Two
    answers without any word score 1, one alone scores 0.
    """
    return each_distinct(_token_f1, answers, references)


def substring(answers: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
    """Return 1 where one normalised string contains the other and neither is empty, else 0."""
    return each_distinct(_substring, answers, references)


def levenshtein(answers: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
    """Return 1 minus the edit distance divided by the longer length; 1 for two empty strings."""
    return each_distinct(
        lambda a, r: Levenshtein.normalized_similarity(normalise(a), normalise(r)),
        answers,
        references,
    )


def _token_f1(answer: str, reference: str) -> float:
    found, wanted = words(answer), words(reference)
    if not found or not wanted:
        return float(found == wanted)
    common = (Counter(found) & Counter(wanted)).total()
    return 2 * common / (len(found) + len(wanted))


def _substring(answer: str, reference: str) -> float:
    found, wanted = normalise(answer).strip(), normalise(reference).strip()
    return float(bool(found) and bool(wanted) and (found in wanted or wanted in found))
