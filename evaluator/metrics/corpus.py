"""Metrics of longer answers by name: their scores, their corpus figures and their tools."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.captioning import bleu_counts as bleu
from evaluator.metrics.captioning import cider, meteor, spice
from evaluator.metrics.captioning import rouge_l as rouge
from evaluator.metrics.choice import Metric
from evaluator.metrics.tools import (
    CAPTIONING,
    ToolMissing,
    require_folder,
    require_java,
    require_module,
)

RowScore = Callable[[Sequence[str], Sequence[tuple[str, ...]]], NDArray[np.float64]]
"""Scores answers against the references of each, shape (N,)."""
Figures = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Forms the figure of each of R sums of statistics, shape (R,)."""

STATISTIC_UNIT: Final = 1024.0
"""Statistics are kept divided by this: a tally holds sums of some million, and counts of words grow
faster than scores. A power of two, so that nothing is rounded."""


@dataclass(frozen=True)
class Counter:
    """What a corpus figure counts in each row; several figures may share it."""

    name: str
    statistics: tuple[str, ...]
    count: RowScore

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of its columns: a slash tells them from scores."""
        return tuple(f"{self.name}/{statistic}" for statistic in self.statistics)


@dataclass(frozen=True)
class CorpusFigure:
    """A figure formed from sums over a set of rows, not a mean of their scores."""

    counter: Counter
    figures: Figures


_BLEU: Final = Counter("bleu", bleu.STATISTICS, bleu.bleu_statistics)
_METEOR: Final = Counter("meteor", meteor.STATISTICS, meteor.meteor_statistics)

CORPUS_FIGURES: Final[Mapping[str, CorpusFigure]] = MappingProxyType(
    {
        Metric.BLEU_1: CorpusFigure(_BLEU, partial(bleu.bleu, order=1)),
        Metric.BLEU_4: CorpusFigure(_BLEU, partial(bleu.bleu, order=4)),
        Metric.BLEU_4_SACRE: CorpusFigure(_BLEU, bleu.sacre_bleu),
        Metric.METEOR: CorpusFigure(_METEOR, meteor.meteor),
    }
)

OF_SETS: Final = frozenset({*CORPUS_FIGURES, Metric.CIDER})
"""What a row has no score of by itself that could be compared with another run's row."""

ROW_SCORES: Final[Mapping[Metric, RowScore]] = MappingProxyType(
    {
        Metric.ROUGE_L: rouge.rouge_l,
        Metric.CIDER: cider.cider,
        Metric.SPICE: spice.spice,
        Metric.BLEU_1_NLTK: bleu.nltk_bleu_1,
        Metric.ROUGE_L_F1: partial(rouge.rouge_l_f1, stemmer=False),
        Metric.ROUGE_L_STEM: partial(rouge.rouge_l_f1, stemmer=True),
        Metric.METEOR_NLTK: meteor.nltk_meteor,
    }
)

_SIGNATURES: Final[Mapping[Metric, Callable[[], str]]] = MappingProxyType(
    {
        Metric.BLEU_1: partial(bleu.bleu_signature, 1),
        Metric.BLEU_4: partial(bleu.bleu_signature, 4),
        Metric.BLEU_4_SACRE: bleu.sacre_bleu_signature,
        Metric.BLEU_1_NLTK: bleu.nltk_bleu_1_signature,
        Metric.ROUGE_L: rouge.rouge_l_signature,
        Metric.ROUGE_L_F1: partial(rouge.rouge_l_f1_signature, stemmer=False),
        Metric.ROUGE_L_STEM: partial(rouge.rouge_l_f1_signature, stemmer=True),
        Metric.METEOR: meteor.meteor_signature,
        Metric.METEOR_NLTK: meteor.nltk_meteor_signature,
        Metric.CIDER: cider.cider_signature,
        Metric.SPICE: spice.spice_signature,
    }
)

ALL: Final = frozenset(_SIGNATURES)
"""Every metric of this module."""


def caption_columns(
    metrics: Collection[Metric],
    answers: Sequence[str],
    references: Sequence[tuple[str, ...]],
) -> dict[str, NDArray[np.float64]]:
    """Return the rows' scores by metric, and the statistics that corpus figures need.

    A row's score of a corpus figure is that figure over the row alone.

    Raises:
        ToolMissing: a metric's tool is not on this machine.
    """
    columns: dict[str, NDArray[np.float64]] = {}
    for metric in metrics:
        if metric in ROW_SCORES:
            columns[metric.value] = ROW_SCORES[metric](answers, references)
            continue
        corpus = CORPUS_FIGURES[metric]
        names = corpus.counter.columns
        if names[0] not in columns:
            counts_ND = corpus.counter.count(answers, references) / STATISTIC_UNIT
            columns.update(zip(names, counts_ND.T, strict=True))
        counts_ND = np.stack([columns[name] for name in names], axis=1)
        columns[metric.value] = corpus.figures(counts_ND * STATISTIC_UNIT)
    return columns


def is_statistic(column: str) -> bool:
    """Return whether a column counts something for a corpus figure, and is no score."""
    return "/" in column


def caption_signature(metric: Metric) -> str:
    """Return which definition and which version of its tool a metric uses."""
    return _SIGNATURES[metric]()


def require_tools(metrics: Collection[Metric]) -> None:
    """See that the tools of ``metrics`` are here, before anything is computed.

    Raises:
        ToolMissing: one is not; the message says the way out.
    """
    for metric in metrics:
        if metric in ALL:
            _require(metric)


def has_tool(metric: Metric) -> bool:
    """Return whether what ``metric`` needs is here."""
    try:
        require_tools([metric])
    except ToolMissing:
        return False
    return True


def _require(metric: Metric) -> None:
    if metric is Metric.SPICE:
        spice.require_spice()
    elif metric is Metric.METEOR:
        require_folder(metric, "pycocoevalcap", CAPTIONING)
        require_java(metric)
    elif metric is Metric.METEOR_NLTK:
        meteor.require_wordnet()
    elif metric is Metric.BLEU_1_NLTK:
        require_module(metric, "nltk", CAPTIONING)
    elif metric in {Metric.ROUGE_L_F1, Metric.ROUGE_L_STEM}:
        require_module(metric, "rouge_score", CAPTIONING)
    else:
        require_folder(metric, "pycocoevalcap", CAPTIONING)
        if metric is Metric.BLEU_4_SACRE:
            require_module(metric, "sacrebleu", CAPTIONING)
