"""ROUGE-L F1 (Lin 2004) of each row over Porter stems, by Google's rouge-score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.captioning.rouge_l_f1 import by_rouge_score
from evaluator.metrics.metric import Metric, against_all, of_texts
from evaluator.metrics.tools import CAPTIONING, named_version, require_module

NAME: Final = "rouge_l_stem"


def rouge_l_stem(
    answers: Sequence[str], references: Sequence[tuple[str, ...]]
) -> NDArray[np.float64]:
    """Return ROUGE-L F1 over stems, by which "shoes" equals "shoe", shape (N,), in [0, 1].

    Raises:
        ToolMissing: rouge-score is not installed.
    """
    return by_rouge_score(answers, references, NAME, stemmer=True)


METRIC: Final = Metric(
    name=NAME,
    label="ROUGE-L F1 (stems)",
    score=against_all(rouge_l_stem),
    definition=of_texts(lambda: f"mean of F1, Porter stems|{named_version('rouge-score')}"),
    require_tool=lambda: require_module(NAME, "rouge_score", CAPTIONING),
    library="rouge-score",
)
