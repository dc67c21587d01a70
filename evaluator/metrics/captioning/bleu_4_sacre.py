"""BLEU-4 of a set as sacrebleu forms it (Post 2018), from the counts of ``bleu_4``."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.captioning.bleu_counts import BLEU_COUNTS, ORDER
from evaluator.metrics.corpus import CorpusFigure
from evaluator.metrics.metric import Metric, of_texts
from evaluator.metrics.tools import CAPTIONING, named_version, require_folder, require_module

NAME: Final = "bleu_4_sacre"


def sacre_bleu(statistics_RD: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return BLEU-4 as sacrebleu forms it for each of R sums of counts, shape (R,), in [0, 1].

    It smooths orders without a match (its default, ``exp``), which decides the score of short
    answers; sacrebleu itself prints percent.

    Raises:
        ToolMissing: sacrebleu is not installed.
    """
    metric = require_module(NAME, "sacrebleu.metrics", CAPTIONING).BLEU
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


def _require_tool() -> None:
    require_folder(NAME, "pycocoevalcap", CAPTIONING)
    require_module(NAME, "sacrebleu", CAPTIONING)


_CORPUS: Final = CorpusFigure(BLEU_COUNTS, sacre_bleu)

METRIC: Final = Metric(
    name=NAME,
    label="BLEU-4 (sacrebleu)",
    score=_CORPUS.of_each,
    definition=of_texts(
        lambda: f"corpus BLEU, n-grams to 4, exp smoothing|{named_version('sacrebleu')}"
    ),
    require_tool=_require_tool,
    corpus=_CORPUS,
    library="sacrebleu",
)
