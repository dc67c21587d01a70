"""The metrics by name: the registry, one line a metric."""

from __future__ import annotations

from typing import Final

from evaluator.metrics.captioning import (
    bleu_1,
    bleu_1_nltk,
    bleu_4,
    bleu_4_sacre,
    cider,
    meteor,
    meteor_nltk,
    rouge_l,
    rouge_l_f1,
    rouge_l_stem,
    spice,
)
from evaluator.metrics.corpus import CorpusFigure
from evaluator.metrics.meaning import bertscore_f1, csns, judge, vtgs, vtgs_boxes, vtgs_clip
from evaluator.metrics.metric import Metric
from evaluator.metrics.official import anls, gqa, textvqa, vizwiz, vqa_v2, vqa_v2_script
from evaluator.metrics.texts import (
    exact_match,
    levenshtein,
    substring,
    token_f1,
    vqa_soft,
)

METRICS: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (
        exact_match.METRIC,
        token_f1.METRIC,
        bertscore_f1.METRIC,
        csns.METRIC,
        vtgs.METRIC,
        vtgs_boxes.METRIC,
        vtgs_clip.METRIC,
        vqa_soft.METRIC,
        vqa_v2.METRIC,
        substring.METRIC,
        levenshtein.METRIC,
        bleu_1.METRIC,
        bleu_4.METRIC,
        rouge_l.METRIC,
        meteor.METRIC,
        cider.METRIC,
        spice.METRIC,
        # The same by other well-known definitions, see docs/metrics.md.
        bleu_1_nltk.METRIC,
        bleu_4_sacre.METRIC,
        rouge_l_f1.METRIC,
        rouge_l_stem.METRIC,
        meteor_nltk.METRIC,
        vqa_v2_script.METRIC,
        vizwiz.METRIC,
        textvqa.METRIC,
        gqa.METRIC,
        anls.METRIC,
        judge.METRIC,
    )
}
"""Every metric, in the order of tables."""


def label(name: str) -> str:
    """Return what people read for a metric's name; the name itself where a file has another."""
    return METRICS[name].label if name in METRICS else name


def corpus_figure(name: str) -> CorpusFigure | None:
    """Return how the figure of a set is formed where that is no mean of the rows' scores."""
    return METRICS[name].corpus if name in METRICS else None
