"""METEOR of each row by NLTK: two equal answers of one word score 0.5, and 1 by the jar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric, against_all, of_texts
from evaluator.metrics.rows import each_distinct
from evaluator.metrics.tools import CAPTIONING, ToolMissing, named_version, require_module
from shared.questions.answers import words

NAME: Final = "meteor_nltk"


def nltk_meteor(
    answers: Sequence[str], references: Sequence[tuple[str, ...]]
) -> NDArray[np.float64]:
    """Return each row's METEOR by NLTK, the best of several references, shape (N,).

    Raises:
        ToolMissing: nltk or its WordNet is not installed.
    """
    require_wordnet()
    tool = require_module(NAME, "nltk.translate.meteor_score", CAPTIONING)

    def score(answer: str, several: tuple[str, ...]) -> float:
        return float(tool.meteor_score([words(text) for text in several], words(answer)))

    return each_distinct(score, answers, references)


def require_wordnet() -> None:
    """Check that NLTK and its WordNet are here.

    Raises:
        ToolMissing: nltk or its WordNet is not installed.
    """
    corpus = require_module(NAME, "nltk.corpus", CAPTIONING)
    try:
        corpus.wordnet.ensure_loaded()
    except LookupError as error:
        raise ToolMissing(
            f"--metrics {NAME}: needs NLTK's WordNet; fetch it once with "
            f"`python -m nltk.downloader wordnet`, or leave {NAME} out"
        ) from error


METRIC: Final = Metric(
    name=NAME,
    label="METEOR (NLTK)",
    score=against_all(nltk_meteor),
    definition=of_texts(
        lambda: f"mean of NLTK's METEOR, alpha 0.9, beta 3, gamma 0.5|{named_version('nltk')}"
    ),
    require_tool=require_wordnet,
    library="nltk",
)
