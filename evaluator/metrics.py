"""The metrics by name, and which of them need a text model or the model's own measurements."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator import overlap
from shared.errors import InputError


class Metric(StrEnum):
    """A metric's name, as it stands in files and tables."""

    EXACT_MATCH = "exact_match"
    TOKEN_F1 = "token_f1"  # noqa: S105 (a metric's name)
    BERTSCORE_F1 = "bertscore_f1"
    CSNS = "csns"
    VTGS = "vtgs"
    SUBSTRING = "substring"
    LEVENSHTEIN = "levenshtein"


LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        Metric.EXACT_MATCH: "Exact match",
        Metric.TOKEN_F1: "Token F1",
        Metric.BERTSCORE_F1: "BERTScore F1",
        Metric.CSNS: "CSNS",
        Metric.VTGS: "VTGS",
        Metric.SUBSTRING: "Substring",
        Metric.LEVENSHTEIN: "Levenshtein",
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
"""What is computed unless told otherwise; VTGS only where the regions were measured."""

SENTENCE_METRICS: Final = frozenset({Metric.CSNS, Metric.VTGS})
"""What needs sentence embeddings."""

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


def parse_metrics(text: str) -> tuple[Metric, ...]:
    """Return the metrics of a list with commas, in its order, each once.

    Raises:
        InputError: the list is empty or holds an unknown name; the nearest known one is named.
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    known = [metric.value for metric in Metric]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise InputError(f"--metrics {name!r}: {hint}known metrics: {', '.join(known)}")
    if not names:
        raise InputError(f"--metrics: names no metric; known metrics: {', '.join(known)}")
    return tuple(dict.fromkeys(Metric(name) for name in names))
