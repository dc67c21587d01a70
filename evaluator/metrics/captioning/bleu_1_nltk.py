"""BLEU-1 (Papineni et al. 2002) of each row by NLTK: the figure is their mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric, against_all, of_texts
from evaluator.metrics.rows import each_distinct
from evaluator.metrics.tools import CAPTIONING, named_version, require_module
from shared.questions.answers import words

NAME: Final = "bleu_1_nltk"


def nltk_bleu_1(
    answers: Sequence[str], references: Sequence[tuple[str, ...]]
) -> NDArray[np.float64]:
    """Return each row's BLEU-1 by NLTK, shape (N,), in [0, 1].

    Smoothing would change nothing: NLTK gives 0 to a row without a common word before it smooths.

    Raises:
        ToolMissing: nltk is not installed.
    """
    nltk = require_module(NAME, "nltk.translate.bleu_score", CAPTIONING)

    def score(answer: str, several: tuple[str, ...]) -> float:
        wanted = [words(reference) for reference in several]
        return float(nltk.sentence_bleu(wanted, words(answer), weights=(1.0,)))

    return each_distinct(score, answers, references)


METRIC: Final = Metric(
    name=NAME,
    label="BLEU-1 (NLTK)",
    score=against_all(nltk_bleu_1),
    definition=of_texts(lambda: f"mean of sentence BLEU, single words|{named_version('nltk')}"),
    require_tool=lambda: require_module(NAME, "nltk", CAPTIONING),
    library="nltk",
)
