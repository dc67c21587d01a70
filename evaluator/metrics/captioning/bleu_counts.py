"""What BLEU (Papineni et al. 2002) counts in each row, and the figure of sums of that.

BLEU is a corpus figure: counts of all rows are added up and divided once. Each row's counts are
kept, so that any set of rows, drawn in any order, has its exact BLEU. A row's own score is the
same formula over that row alone, as pycocoevalcap gives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.corpus import CorpusFigure, Counter
from evaluator.metrics.metric import Metric, MetricGroup, of_texts
from evaluator.metrics.rows import each_distinct
from evaluator.metrics.tools import CAPTIONING, named_version, require_folder, require_module
from shared.questions.answers import spaced

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
        wanted = scorer.cook_refs([spaced(reference) for reference in several], n=ORDER)
        cooked = scorer.cook_test(spaced(answer), wanted, "closest", ORDER)
        return (*cooked["correct"], *cooked["guess"], cooked["testlen"], cooked["reflen"])

    return each_distinct(counts, answers, references).reshape(-1, len(STATISTICS))


def bleu(statistics_RD: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Return BLEU up to n-grams of ``order`` for each of R sums of counts, shape (R,), in [0, 1].

    Geometric mean of the precisions times the brevity penalty, in pycocoevalcap's arithmetic. One
    word, found in a reference of two:

    >>> bleu(np.array([[1.0, 0, 0, 0, 1, 0, 0, 0, 1, 2]]), order=1).round(4)
    array([0.3679])
    """
    correct_RO = statistics_RD[:, :order]
    guess_RO = statistics_RD[:, ORDER : ORDER + order]
    precisions_RO = (correct_RO + _TINY) / (guess_RO + _SMALL)
    ratio = (statistics_RD[:, -2] + _TINY) / (statistics_RD[:, -1] + _SMALL)
    with np.errstate(over="ignore", divide="ignore"):
        penalty = np.where(ratio < 1, np.exp(1 - 1 / ratio), 1.0)
    result: NDArray[np.float64] = np.prod(precisions_RO, axis=1) ** (1 / order) * penalty
    return result


def bleu_metric(order: int) -> Metric:
    """Return corpus BLEU up to n-grams of ``order``."""
    name = f"bleu_{order}"
    corpus = CorpusFigure(BLEU_COUNTS, partial(bleu, order=order))
    return Metric(
        name=name,
        label=f"BLEU-{order}",
        score=corpus.of_each,
        definition=of_texts(lambda: _definition(order)),
        require_tool=lambda: require_folder(name, "pycocoevalcap", CAPTIONING),
        corpus=corpus,
        library="pycocoevalcap",
        groups=frozenset({MetricGroup.CAPTIONING, MetricGroup.ALL}),
    )


def _definition(order: int) -> str:
    """Return which BLEU this is."""
    return (
        f"corpus BLEU, n-grams to {order}, reference nearest in length, no smoothing|"
        f"{named_version('pycocoevalcap')}"
    )


BLEU_COUNTS: Final = Counter("bleu", STATISTICS, bleu_statistics)
