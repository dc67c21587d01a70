"""The metrics by name, and what each needs besides an answer and its references."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.texts import token_f1 as overlap
from evaluator.metrics.texts.vqa_v2 import FEWEST_REFERENCES
from shared.errors import InputError
from shared.records import QAPair


class Metric(StrEnum):
    """A metric's name, as it stands in files and tables."""

    EXACT_MATCH = "exact_match"
    TOKEN_F1 = "token_f1"  # noqa: S105 (a metric's name)
    BERTSCORE_F1 = "bertscore_f1"
    CSNS = "csns"
    VTGS = "vtgs"
    VTGS_BOXES = "vtgs_boxes"
    VTGS_CLIP = "vtgs_clip"
    VQA_SOFT = "vqa_soft"
    VQA_V2 = "vqa_v2"
    SUBSTRING = "substring"
    LEVENSHTEIN = "levenshtein"
    BLEU_1 = "bleu_1"
    BLEU_4 = "bleu_4"
    ROUGE_L = "rouge_l"
    METEOR = "meteor"
    CIDER = "cider"
    SPICE = "spice"
    # The same by other well-known definitions, see docs/metrics.md.
    BLEU_1_NLTK = "bleu_1_nltk"
    BLEU_4_SACRE = "bleu_4_sacre"
    ROUGE_L_F1 = "rouge_l_f1"
    ROUGE_L_STEM = "rouge_l_stem"
    METEOR_NLTK = "meteor_nltk"


LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Metric.EXACT_MATCH: "Exact match",
        Metric.TOKEN_F1: "Token F1",
        Metric.BERTSCORE_F1: "BERTScore F1",
        Metric.CSNS: "CSNS",
        Metric.VTGS: "VTGS",
        Metric.VTGS_BOXES: "VTGS (boxes)",
        Metric.VTGS_CLIP: "VTGS (CLIP)",
        Metric.VQA_SOFT: "VQA soft",
        Metric.VQA_V2: "VQA v2 accuracy",
        Metric.SUBSTRING: "Substring",
        Metric.LEVENSHTEIN: "Levenshtein",
        Metric.BLEU_1: "BLEU-1",
        Metric.BLEU_4: "BLEU-4",
        Metric.ROUGE_L: "ROUGE-L",
        Metric.METEOR: "METEOR",
        Metric.CIDER: "CIDEr",
        Metric.SPICE: "SPICE",
        Metric.BLEU_1_NLTK: "BLEU-1 (NLTK)",
        Metric.BLEU_4_SACRE: "BLEU-4 (sacrebleu)",
        Metric.ROUGE_L_F1: "ROUGE-L F1",
        Metric.ROUGE_L_STEM: "ROUGE-L F1 (stems)",
        Metric.METEOR_NLTK: "METEOR (NLTK)",
    }
)
"""What people read."""

REPORT_METRICS: Final = (
    Metric.EXACT_MATCH,
    Metric.TOKEN_F1,
    Metric.BERTSCORE_F1,
    Metric.CSNS,
    Metric.VTGS,
)
"""What is computed of any data unless told otherwise, see ``metrics_for``."""

CAPTION_METRICS: Final = (
    Metric.BLEU_1,
    Metric.BLEU_4,
    Metric.ROUGE_L,
    Metric.METEOR,
    Metric.CIDER,
    Metric.SPICE,
)
"""For longer answers; each needs a tool that may be missing."""

REGION_METRICS: Final = frozenset({Metric.VTGS, Metric.VTGS_BOXES})
"""What needs the regions that the model looked at."""

SENTENCE_METRICS: Final = frozenset({Metric.CSNS, *REGION_METRICS})
"""What needs sentence embeddings."""

BERTSCORE_METRICS: Final = frozenset({Metric.BERTSCORE_F1, Metric.VTGS_CLIP})
"""What needs BERTScore's encoder."""

OVERLAP_METRICS: Final[
    Mapping[Metric, Callable[[Sequence[str], Sequence[str]], NDArray[np.float64]]]
] = MappingProxyType(
    {
        Metric.EXACT_MATCH: overlap.exact_match,
        Metric.TOKEN_F1: overlap.token_f1,
        Metric.SUBSTRING: overlap.substring,
        Metric.LEVENSHTEIN: overlap.levenshtein,
    }
)

GROUPS: Final[Mapping[str, tuple[Metric, ...]]] = MappingProxyType(
    {
        "captioning": CAPTION_METRICS,
        "all": (
            *(Metric.EXACT_MATCH, Metric.TOKEN_F1, Metric.BERTSCORE_F1, Metric.CSNS),
            *(Metric.SUBSTRING, Metric.LEVENSHTEIN),
            *CAPTION_METRICS,
        ),
    }
)
"""Names for several metrics. Of these, what lacks its tool is left out; all need but the texts."""


def with_boxes(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    """Return metrics for data that has boxes: VTGS against them too, where VTGS is asked for."""
    if Metric.VTGS not in metrics or Metric.VTGS_BOXES in metrics:
        return tuple(metrics)
    after = metrics.index(Metric.VTGS) + 1
    return (*metrics[:after], Metric.VTGS_BOXES, *metrics[after:])


FEWEST: Final[Mapping[Metric, int]] = {Metric.VQA_SOFT: 2, Metric.VQA_V2: FEWEST_REFERENCES}
"""How many references a row needs for a score of those that ask how many people agree."""


def metrics_for(pairs: Iterable[QAPair]) -> tuple[Metric, ...]:
    """Return the report's metrics, and what else the data has what it takes for.

    VTGS against boxes where a pair has some, soft accuracy where one has several references, and
    VQA v2's own where one has enough of them.
    """
    known = list(pairs)
    metrics = with_boxes(REPORT_METRICS) if any(pair.boxes for pair in known) else REPORT_METRICS
    most = max((len(pair.references) for pair in known), default=0)
    return (*metrics, *(metric for metric, fewest in FEWEST.items() if most >= fewest))


def require_several_references(metrics: Iterable[Metric], pairs: Iterable[QAPair]) -> None:
    """Check that what asks how many people agree, where it is asked for, has a row to score.

    Raises:
        InputError: every row has too few references.
    """
    asked = [metric for metric in metrics if metric in FEWEST]
    most = max((len(pair.references) for pair in pairs), default=0) if asked else 0
    for metric in asked:
        if most < FEWEST[metric]:
            several = "several" if metric is Metric.VQA_SOFT else f"{FEWEST[metric]} or more"
            raise InputError(
                f"--metrics {metric}: no row has {several} references; give them as a list in a "
                f"column `answers`, or leave {metric} out"
            )


def parse_metrics(
    text: str, has_tool: Callable[[Metric], bool] = lambda _: True
) -> tuple[Metric, ...]:
    """Return the metrics of a list with commas, in its order, each once.

    Args:
        text: names of metrics and of ``GROUPS``.
        has_tool: whether a metric's tool is here; a group leaves the others out.

    Raises:
        InputError: the list is empty or holds an unknown name; the nearest known one is named.
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    known = [*(metric.value for metric in Metric), *GROUPS]
    found: list[Metric] = []
    for name in names:
        if name in GROUPS:
            found += filter(has_tool, GROUPS[name])
        elif name in known:
            found.append(Metric(name))
        else:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise InputError(f"--metrics {name!r}: {hint}known metrics: {', '.join(known)}")
    if not names:
        raise InputError(f"--metrics: names no metric; known metrics: {', '.join(known)}")
    return tuple(dict.fromkeys(found))
