"""ROUGE-L (Lin 2004) of each row, by pycocoevalcap or by Google's rouge-score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.rows import each_distinct
from evaluator.metrics.tools import CAPTIONING, named_version, require_module
from shared.questions.answers import normalise, spaced


def rouge_l(answers: Sequence[str], references: Sequence[tuple[str, ...]]) -> NDArray[np.float64]:
    """Return ROUGE-L as pycocoevalcap counts it, shape (N,), in [0, 1].

    F with beta 1.2 of the longest common subsequence of words; with several references the best
    precision and the best recall, which may come from two of them.

    Raises:
        ToolMissing: pycocoevalcap is not installed.
    """
    scorer = require_module("rouge_l", "pycocoevalcap.rouge.rouge", CAPTIONING).Rouge()
    return each_distinct(
        lambda answer, several: float(
            scorer.calc_score([spaced(answer)], [spaced(one) for one in several])
        ),
        answers,
        references,
    )


def rouge_l_signature() -> str:
    """Return which ROUGE-L this is."""
    return f"mean of F with beta 1.2|{named_version('pycocoevalcap')}"


def rouge_l_f1(
    answers: Sequence[str], references: Sequence[tuple[str, ...]], *, stemmer: bool
) -> NDArray[np.float64]:
    """Return ROUGE-L F1 as rouge-score counts it, the best of several references, shape (N,).

    Args:
        answers: N answers.
        references: the references of each.
        stemmer: compare Porter stems, so that "shoes" equals "shoe".

    Raises:
        ToolMissing: rouge-score is not installed.
    """
    metric = "rouge_l_stem" if stemmer else "rouge_l_f1"
    tool = require_module(metric, "rouge_score.rouge_scorer", CAPTIONING)
    scorer = tool.RougeScorer(["rougeL"], use_stemmer=stemmer)

    def score(answer: str, several: tuple[str, ...]) -> float:
        found = normalise(answer)
        scores = (scorer.score(normalise(one), found)["rougeL"] for one in several)
        return max(float(score.fmeasure) for score in scores)

    return each_distinct(score, answers, references)


def rouge_l_f1_signature(*, stemmer: bool) -> str:
    """Return which ROUGE-L this is."""
    kind = "Porter stems" if stemmer else "words as they are"
    return f"mean of F1, {kind}|{named_version('rouge-score')}"
