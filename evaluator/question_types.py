"""What a question asks for, by rules that are read from top to bottom: the first that fits wins."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from shared.answers import normalise

OTHER: Final = "other"

_RULES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    (
        "yes/no",
        re.compile(
            r"^(is|are|was|were|does|do|did|can|could|has|have|will|would|should)\b(?!.*\bor\b)"
        ),
    ),
    ("count", re.compile(r"^(how many|how much)\b|\b(number|count|quantity) of\b")),
    ("colour", re.compile(r"\b(colou?r|colou?rs|colou?red|shade|hue)\b")),
    (
        "material",
        re.compile(r"\b(materials?|fabric|texture|made (of|from|out of)|metal|wood type)\b"),
    ),
    ("shape", re.compile(r"\b(shapes?|shaped|silhouette|form)\b")),
    (
        "object/type",
        re.compile(
            r"\b(type|kind|sort|style|category|object|item|product|animal|brand)\b"
            r"|^what (is|are) (this|that|these|those|it|shown|depicted|visible)\b"
        ),
    ),
)

QUESTION_TYPES: Final = (*(name for name, _ in _RULES), OTHER)
"""Every type, in the order of tables and plots."""


def question_type(question: str) -> str:
    """Return one of ``QUESTION_TYPES``."""
    text = normalise(question)
    return next((name for name, rule in _RULES if rule.search(text)), OTHER)


def coverage(questions: Iterable[str]) -> float:
    """Return the share of questions that a rule covers; 0 when there is none."""
    kinds = [question_type(question) for question in questions]
    return sum(kind != OTHER for kind in kinds) / len(kinds) if kinds else 0.0
