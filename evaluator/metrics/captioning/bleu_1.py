"""BLEU-1 (Papineni et al. 2002) of a set, with the counts and the arithmetic of pycocoevalcap."""

from __future__ import annotations

from typing import Final

from evaluator.metrics.captioning.bleu_counts import bleu_metric
from evaluator.metrics.metric import Metric

METRIC: Final[Metric] = bleu_metric(1)
