"""BLEU (Papineni et al. 2002) with the counts of pycocoevalcap or of sacrebleu.

BLEU is a corpus figure: counts of all rows are added up and divided once. Each row's counts are
kept, so that any set of rows, drawn in any order, has its exact BLEU. A row's own score is the
same formula over that row alone, as pycocoevalcap gives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.rows import each_distinct
from evaluator.metrics.tools import CAPTIONING, named_version, require_module
from shared.questions.answers import spaced, words

ORDER: Final = 4
"""Longest n-gram counted."""
STATISTICS: Final = (
    *(f"correct_{n + 1}" for n in range(ORDER)),
    *(f"guess_{n + 1}" for n in range(ORDER)),
    "answer_length",
    "reference_length",
)
"""What a row counts: matched n-grams, n-grams, words, words of the reference nearest in length."""
_SMALL: Final = 1e-9
_TINY: Final = 1e-15
"""pycocoevalcap's: an answer without n-grams of an order scores near 0 instead of failing."""


def bleu_statistics(
    answers: Sequence[str], references: Sequence[tuple[str, ...]]
) -> NDArray[np.float64]:
    """Return each row's counts, shape (N, 10), in the order of ``STATISTICS``.

    Words are those of the normalised text, cut at white space. N-grams count at most as often as
    in the reference that has most of them.

    Raises:
        ToolMissing: pycocoevalcap is not installed.
    """
    scorer = require_module("bleu", "pycocoevalcap.bleu.bleu_scorer", CAPTIONING)

    def counts(answer: str, several: tuple[str, ...]) -> tuple[float, ...]:
        wanted = scorer.cook_refs([spaced(one) for one in several], n=ORDER)
        found = scorer.cook_test(spaced(answer), wanted, "closest", ORDER)
        return (*found["correct"], *found["guess"], found["testlen"], found["reflen"])

    return each_distinct(counts, answers, references).reshape(-1, len(STATISTICS))


def bleu(statistics_RD: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Return BLEU up to n-grams of ``order`` for each of R sums of counts, shape (R,), in [0, 1].

    Geometric mean of the precisions times the brevity penalty, in pycocoevalcap's arithmetic.
    """
    correct_RO = statistics_RD[:, :order]
    guess_RO = statistics_RD[:, ORDER : ORDER + order]
    precisions_RO = (correct_RO + _TINY) / (guess_RO + _SMALL)
    ratio = (statistics_RD[:, -2] + _TINY) / (statistics_RD[:, -1] + _SMALL)
    with np.errstate(over="ignore", divide="ignore"):
        penalty = np.where(ratio < 1, np.exp(1 - 1 / ratio), 1.0)
    result: NDArray[np.float64] = np.prod(precisions_RO, axis=1) ** (1 / order) * penalty
    return result


def bleu_signature(order: int) -> str:
    """Return which BLEU this is."""
    return (
        f"corpus BLEU, n-grams to {order}, reference nearest in length, no smoothing|"
        f"{named_version('pycocoevalcap')}"
    )


def sacre_bleu(statistics_RD: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return BLEU-4 as sacrebleu forms it from the same counts, shape (R,), in [0, 1].

    It smooths orders without a match (its default, ``exp``), which decides the score of short
    answers; sacrebleu itself prints percent.

    Raises:
        ToolMissing: sacrebleu is not installed.
    """
    metric = require_module("bleu_4_sacre", "sacrebleu.metrics", CAPTIONING).BLEU
    distinct_UD, place_R = np.unique(statistics_RD, axis=0, return_inverse=True)
    scores = [
        metric.compute_bleu(
            correct=counts[:ORDER].tolist(),
            total=counts[ORDER : 2 * ORDER].tolist(),
            sys_len=int(counts[-2]),
            ref_len=int(counts[-1]),
            smooth_method="exp",
        ).score
        for counts in distinct_UD
    ]
    return np.array(scores, dtype=np.float64)[place_R.reshape(-1)] / 100


def sacre_bleu_signature() -> str:
    """Return which BLEU this is."""
    return f"corpus BLEU, n-grams to 4, exp smoothing|{named_version('sacrebleu')}"


def nltk_bleu_1(
    answers: Sequence[str], references: Sequence[tuple[str, ...]]
) -> NDArray[np.float64]:
    """Return each row's BLEU-1 by NLTK, shape (N,); their mean is the figure, not a corpus BLEU.

    Smoothing would change nothing: NLTK gives 0 to a row without a common word before it smooths.

    Raises:
        ToolMissing: nltk is not installed.
    """
    nltk = require_module("bleu_1_nltk", "nltk.translate.bleu_score", CAPTIONING)

    def score(answer: str, several: tuple[str, ...]) -> float:
        return float(
            nltk.sentence_bleu(
                [words(one) for one in several],
                words(answer),
                weights=(1.0,),
            )
        )

    return each_distinct(score, answers, references)


def nltk_bleu_1_signature() -> str:
    """Return which BLEU this is."""
    return f"mean of sentence BLEU, single words|{named_version('nltk')}"
