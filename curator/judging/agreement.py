"""Whether a pair agrees with what the listing says: a measure of label noise; pure.

Only questions about the whole product's colour, its material or its kind are compared, for of
parts the catalogue says nothing. Words are compared by family (``curator.judging.vocabulary``): an
answer disagrees where both sides are known and have no family in common. All else is unknown, and a
catalogue can be wrong, so that this never rejects a pair.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from curator.judging.parser import Draft
from curator.judging.vocabulary import COLOURS, KINDS, MATERIALS
from shared.questions.answers import words


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
_ASKED: Final = re.compile("|".join(subject.asked.pattern for subject in _SUBJECTS))
_WHOLE: Final = frozenset(
    {"main", "primary", "dominant", "predominant", "overall", "principal", "what", "the", "is"}
)
"""Before the word "color": it is asked of the whole."""
_GENERIC: Final = frozenset(
    {"product", "products", "item", "items", "object", "objects", "piece", "it", "this"}
)
_SUBJECT: Final = frozenset(
    {"color", "colors", "colour", "colours", "material", "materials", "type", "kind"}
)
_PARTIAL: Final = re.compile(
    r"\b(?:secondary|second|other|another|accents?|contrast(?:ing)?|interior|inner|inside|top|back|"
    r"background|besides|trim|lettering|pattern|print)\b"
)
_PART: Final = re.compile(
    r"\b(?:of|on) the .*\b(?:of|on|in) the\b"
    r"|\b(?:is|are) the (?!(?:\w+ ){0,3}(?:colou?rs?|materials?)\b)[\w -]+ (?:of|on|in) the\b"
)
_PART_NOUNS: Final = frozenset(
    {
        *("bezel", "chain", "clip", "dial", "drawer", "face", "frame", "handle", "headband"),
        *("heel", "leg", "lens", "lid", "pearl", "pendant", "seat", "sole", "strap"),
    }
)
"""Parts that names of products mention; about one the catalogue's color says nothing."""
_NO_PRODUCTS: Final = (
    COLOURS.keys() | MATERIALS.keys() | _PART_NOUNS | {f"{noun}s" for noun in _PART_NOUNS}
)
"""Words like "gold" and "leather" stand in names too, and are no products."""
_OWNED: Final = re.compile(
    r"\b(?P<owner>\w+)(?:'s|s') (?P<whole>(?:\w+ )?(?:colou?rs?|materials?)\b)?"
)
_NAMED: Final = re.compile(
    r".*\b(?:of|is|are|does|do) (?:the|this|these) (?P<noun>[a-z -]+?)"
    r"(?: (?:made|shown|visible|displayed|seen|pictured|depicted|in|on|from|used|appear)\b.*)?$"
)
_WORD: Final = re.compile(r"[^\W_]+")
_BEFORE: Final = re.compile(r"(?P<word>\w+) (?:colou?rs?|materials?)\b")


def agreement(draft: Draft, metadata: Mapping[str, str]) -> Agreement:
    """Compare the answer of ``draft`` with the listing's fields."""
    question = " ".join(words(draft.question)) if metadata else ""
    if not _ASKED.search(question):
        return Agreement.UNKNOWN
    for subject in _SUBJECTS:
        if subject.asked.search(question):
            fields = {name.strip().lower(): text for name, text in metadata.items()}
            stated = _stems(" ".join(fields.get(name, "") for name in subject.fields))
            # Most listings say nothing of what is asked; that is quickly seen.
            if not stated or not _is_about_the_whole(draft.question.lower(), question, fields):
                return Agreement.UNKNOWN
            return _compared(_stems(draft.answer), stated, subject.families)
    return Agreement.UNKNOWN


def _is_about_the_whole(raw: str, question: str, fields: Mapping[str, str]) -> bool:
    """Return whether a question, as written and normalised, asks about the product as a whole.

    It must name the product by a word of its listing, or by a general one, or nothing at all.
    """
    if _PARTIAL.search(question) or _PART.search(question):
        return False
    product = _product_nouns(fields.get("item_name", ""), fields.get("product_type", ""))
    owned, before = _OWNED.search(raw), _BEFORE.search(question)
    if owned and not (owned["whole"] and _stems(owned["owner"]) & product):
        return False
    if (
        before
        and not owned
        and before["word"] not in _WHOLE
        and not _stems(before["word"]) & product
    ):
        return False
    named = _NAMED.match(question)
    if named is None or named["noun"].split()[-1] in _SUBJECT:
        return True
    return bool(_stems(named["noun"].split()[-1]) & product)


# A reply's questions are all about one product.
@lru_cache(maxsize=64)
def _product_nouns(item_name: str, product_type: str) -> frozenset[str]:
    """Return the words under which a question may name the product."""
    return (_stems(item_name) - _NO_PRODUCTS) | _stems(product_type) | _GENERIC


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
    tokens = _WORD.findall(text.lower())
    return frozenset(form for word in tokens for form in (word, word.removesuffix("s")) if form)
