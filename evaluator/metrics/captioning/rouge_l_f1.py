"""ROUGE-L F1 (Lin 2004) of each row by Google's rouge-score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric, against_all, of_texts
from evaluator.metrics.rows import each_distinct
from evaluator.metrics.tools import CAPTIONING, named_version, require_module
from shared.questions.answers import normalise

NAME: Final = "rouge_l_f1"


def rouge_l_f1(
    answers: Sequence[str], references: Sequence[tuple[str, ...]]
) -> NDArray[np.float64]:
    """Return ROUGE-L F1 as rouge-score counts it, the best of several references, shape (N,).

    Raises:
        ToolMissing: rouge-score is not installed.
    """
    return by_rouge_score(answers, references, NAME, stemmer=False)


def by_rouge_score(
    answers: Sequence[str], references: Sequence[tuple[str, ...]], metric: str, *, stemmer: bool
) -> NDArray[np.float64]:
    """Return ROUGE-L F1 of each row, shape (N,), in [0, 1].

    Args:
        answers: N answers.
        references: the references of each.
        metric: which metric asks, for the message where the tool is missing.
        stemmer: compare Porter stems, so that "shoes" equals "shoe".

    Raises:
        ToolMissing: rouge-score is not installed.
    """
    tool = require_module(metric, "rouge_score.rouge_scorer", CAPTIONING)
    scorer = tool.RougeScorer(["rougeL"], use_stemmer=stemmer)

    def score(answer: str, several: tuple[str, ...]) -> float:
        answered = normalise(answer)
        scores = (scorer.score(normalise(reference), answered)["rougeL"] for reference in several)
        return max(float(score.fmeasure) for score in scores)

    return each_distinct(score, answers, references)


METRIC: Final = Metric(
    name=NAME,
    label="ROUGE-L F1",
    score=against_all(rouge_l_f1),
    definition=of_texts(lambda: f"mean of F1, words as they are|{named_version('rouge-score')}"),
    require_tool=lambda: require_module(NAME, "rouge_score", CAPTIONING),
    library="rouge-score",
)
