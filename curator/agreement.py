"""Whether a pair agrees with what the listing says: a measure of label noise; pure.

Only questions about the whole product's colour, its material or its kind are compared, for of
parts the catalogue says nothing. Words are compared by family (``curator.vocabulary``): an answer
disagrees where both sides are known and have no family in common. All else is unknown, and a
catalogue can be wrong, so that this never rejects a pair.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from curator.replies import Draft
from curator.vocabulary import COLOURS, KINDS, MATERIALS
from shared.answers import words


class Agreement(StrEnum):
    """What the listing says to an answer."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a question can be about, and where the listing has its answer."""

    asked: re.Pattern[str]
    fields: tuple[str, ...]
    families: Mapping[str, str]


_SUBJECTS: Final = (
    _Subject(
        re.compile(r"\bcolou?rs?\b"),
        ("color", "colour"),
        COLOURS,
    ),
    _Subject(
        re.compile(r"\bmaterials?\b|\bmetal\b|\bmade (?:of|from|out of)\b"),
        ("material", "fabric_type"),
        MATERIALS,
    ),
    _Subject(
        re.compile(r"\b(?:type|kind) of (?:product|item|object)\b|\bproduct is (?:this|shown)\b"),
        ("product_type",),
        KINDS,
    ),
)
_WHOLE: Final = re.compile(
    r"\b(?:main|primary|dominant|predominant|overall|product|item|object|piece)\b"
)
_PART: Final = re.compile(r"\b(?:of|on) the .*\b(?:of|on|in) the\b|\b(?:interior|sole s)\b")
_NAMED: Final = re.compile(
    r"\b(?:colou?r|material|what) (?:of|is|are) (?:the|this|these) (\w+)(?: made (?:of|from))?$"
)


def agreement(draft: Draft, metadata: Mapping[str, str]) -> Agreement:
    """Compare the answer of ``draft`` with the listing's fields."""
    question = " ".join(words(draft.question))
    fields = {name.strip().lower(): text for name, text in metadata.items()}
    for subject in _SUBJECTS:
        if subject.asked.search(question):
            if not _is_about_the_whole(question, fields):
                return Agreement.UNKNOWN
            known = " ".join(fields.get(name, "") for name in subject.fields)
            return _compared(_stems(draft.answer), _stems(known), subject.families)
    return Agreement.UNKNOWN


def _is_about_the_whole(question: str, fields: Mapping[str, str]) -> bool:
    if _PART.search(question):
        return False
    if _WHOLE.search(question):
        return True
    named = _NAMED.search(question)
    product = _stems(f"{fields.get('product_type', '')} {fields.get('item_name', '')}")
    return named is not None and not _stems(named[1]).isdisjoint(product)


def _compared(
    answer: frozenset[str], known: frozenset[str], families: Mapping[str, str]
) -> Agreement:
    if answer & known:
        return Agreement.AGREES
    ours = {families[word] for word in answer if word in families}
    theirs = {families[word] for word in known if word in families}
    if not ours or not theirs:
        return Agreement.UNKNOWN
    return Agreement.AGREES if ours & theirs else Agreement.DISAGREES


def _stems(text: str) -> frozenset[str]:
    """Return the words of ``text``, each also without a final s."""
    found = re.findall(r"[^\W_]+", text.lower())
    return frozenset(form for word in found for form in (word, word.removesuffix("s")) if form)
