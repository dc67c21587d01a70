"""BLEU-1 (Papineni et al. 2002) of a set, with the counts and the arithmetic of pycocoevalcap."""

from __future__ import annotations

from functools import partial
from typing import Final

from evaluator.metrics.captioning.bleu_counts import BLEU_COUNTS, bleu, bleu_definition
from evaluator.metrics.corpus import CorpusFigure
from evaluator.metrics.metric import Metric, MetricGroup, of_texts
from evaluator.metrics.tools import CAPTIONING, require_folder

NAME: Final = "bleu_1"
_CORPUS: Final = CorpusFigure(BLEU_COUNTS, partial(bleu, order=1))

METRIC: Final = Metric(
    name=NAME,
    label="BLEU-1",
    score=_CORPUS.of_each,
    definition=of_texts(lambda: bleu_definition(1)),
    require_tool=lambda: require_folder(NAME, "pycocoevalcap", CAPTIONING),
    corpus=_CORPUS,
    library="pycocoevalcap",
    groups=frozenset({MetricGroup.CAPTIONING, MetricGroup.ALL}),
)
