"""ANLS: average normalised Levenshtein similarity, of DocVQA and ST-VQA (Biten et al. 2019).

Source: the evaluation of https://rrc.cvc.uab.es/?ch=17 (DocVQA), as of 2026-11: small letters,
single spaces, the reference that suits best, and nothing for less than half.

Deviation: the paper's equation gives 0 to a similarity of exactly one half, the script gives it
0.5, and so does this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from evaluator.metrics.metric import Metric, best_of
from evaluator.metrics.rows import each_distinct

THRESHOLD: Final = 0.5


def anls(answers: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
    """Return 1 less edit distance over the longer length, 0 where that is below one half.

    >>> anls(["ITC  Limited", "itc limted", "ltd"], ["itc limited"] * 3).round(4)
    array([1.    , 0.9091, 0.    ])
    """
    return each_distinct(_anls, answers, references)


def _anls(answer: str, reference: str) -> float:
    similarity = Levenshtein.normalized_similarity(_plain(answer), _plain(reference))
    return similarity if similarity >= THRESHOLD else 0.0


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


METRIC: Final = Metric(
    name="anls",
    label="ANLS",
    score=best_of(anls),
    definition=lambda _models, _provenance: f"lower, single spaces|0 below {THRESHOLD}",
    shows_spread=True,
)
