"""ANLS: average normalised Levenshtein similarity, of DocVQA and ST-VQA (Biten et al. 2019).

Source: equation 1 of arXiv:1905.13648, by which a distance counts where it is below 0.5, so that an
answer of which just half is right scores 0; small letters, single spaces and the reference that
suits best, as DocVQA (arXiv:2007.00398) uses it.

Other programs give one half its 0.5 (``findings/anls-packages-differ-at-half.sh``).
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
"""Of the similarity, which has to be above it, as the distance has to be below."""


def anls(answers: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
    """Return 1 less edit distance over the longer length, 0 where that is one half or less.

    >>> anls(["ITC  Limited", "itc limted", "ltd"], ["itc limited"] * 3).round(4)
    array([1.    , 0.9091, 0.    ])
    """
    return each_distinct(_anls, answers, references)


def _anls(answer: str, reference: str) -> float:
    similarity = Levenshtein.normalized_similarity(_plain(answer), _plain(reference))
    return similarity if similarity > THRESHOLD else 0.0


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


METRIC: Final = Metric(
    name="anls",
    label="ANLS",
    score=best_of(anls),
    definition=lambda _models, _provenance: f"lower, single spaces|0 at {THRESHOLD} and below",
    shows_spread=True,
)
