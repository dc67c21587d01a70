"""ROUGE-L (Lin 2004) of each row by pycocoevalcap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric, MetricGroup, against_all, of_texts
from evaluator.metrics.rows import each_distinct
from evaluator.metrics.tools import CAPTIONING, named_version, require_folder, require_module
from shared.questions.answers import spaced

NAME: Final = "rouge_l"


def rouge_l(answers: Sequence[str], references: Sequence[tuple[str, ...]]) -> NDArray[np.float64]:
    """Return ROUGE-L as pycocoevalcap counts it, shape (N,), in [0, 1].

    F with beta 1.2 of the longest common subsequence of words; with several references the best
    precision and the best recall, which may come from two of them.

    Raises:
        ToolMissing: pycocoevalcap is not installed.
    """
    scorer = require_module(NAME, "pycocoevalcap.rouge.rouge", CAPTIONING).Rouge()

    def score(answer: str, several: tuple[str, ...]) -> float:
        return float(
            scorer.calc_score([spaced(answer)], [spaced(reference) for reference in several])
        )

    return each_distinct(score, answers, references)


METRIC: Final = Metric(
    name=NAME,
    label="ROUGE-L",
    score=against_all(rouge_l),
    definition=of_texts(lambda: f"mean of F with beta 1.2|{named_version('pycocoevalcap')}"),
    require_tool=lambda: require_folder(NAME, "pycocoevalcap", CAPTIONING),
    library="pycocoevalcap",
    groups=frozenset({MetricGroup.CAPTIONING, MetricGroup.ALL}),
)
