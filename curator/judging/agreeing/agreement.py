"""Whether a pair agrees with what the listing says: a measure of label noise; pure.

Only questions about the whole product are compared, for of parts the catalogue says nothing; about
what, and by which fields, a ``ListingMap`` says: by default its colour, its material and its kind.
Words are compared by family: an answer disagrees where both sides are known and have no family in
common. All else is unknown, and a catalogue can be wrong, so that this never rejects a pair.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final

from curator.judging.agreeing.by_words import is_about_the_whole, says_the_same, subject_asked
from curator.judging.agreeing.listing_map import ListingMap, Subject, field_key, packaged_map
from curator.judging.drafts import Draft
from curator.prompts.languages.words import ENGLISH
from shared.questions.answers import words


class Agreement(StrEnum):
    """What the listing says to an answer."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    UNKNOWN = "unknown"


_WHOLE: Final = frozenset(
    {"main", "primary", "dominant", "predominant", "overall", "principal", "what", "the", "is"}
)
"""Before the word "color": it is asked of the whole."""
_GENERIC: Final = frozenset(
    {"product", "products", "item", "items", "object", "objects", "piece", "it", "this"}
)
_KIND_WORDS: Final = frozenset({"type", "kind"})
_PARTIAL: Final = frozenset(
    {
        *("secondary", "second", "other", "another", "accent", "accents", "contrast"),
        *("contrasting", "interior", "inner", "inside", "top", "back", "background", "besides"),
        *("trim", "lettering", "pattern", "print"),
    }
)
"""Words of questions that are about no whole."""
_PART_NOUNS: Final = frozenset(
    {
        *("bezel", "chain", "clip", "dial", "drawer", "face", "frame", "handle", "headband"),
        *("heel", "leg", "lens", "lid", "pearl", "pendant", "seat", "sole", "strap"),
    }
)
"""Parts that names of products mention; about one the catalogue's color says nothing."""
_PARTS: Final = _PART_NOUNS | {f"{noun}s" for noun in _PART_NOUNS}
_NAMED: Final = re.compile(
    r".*\b(?:of|is|are|does|do) (?:the|this|these) (?P<noun>[a-z -]+?)"
    r"(?: (?:made|shown|visible|displayed|seen|pictured|depicted|in|on|from|used|appear)\b.*)?$"
)
_WORD: Final = re.compile(r"[^\W_]+")


class _Phrasing:
    """How questions speak of a mapping's subjects."""

    def __init__(self, called: frozenset[str]) -> None:
        nouns = "|".join(map(re.escape, sorted(called))) or "(?!)"
        self.part = re.compile(
            r"\b(?:of|on) the .*\b(?:of|on|in) the\b"
            rf"|\b(?:is|are) the (?!(?:\w+ ){{0,3}}(?:{nouns})\b)[\w -]+ (?:of|on|in) the\b"
        )
        self.owned = re.compile(rf"\b(?P<owner>\w+)(?:'s|s') (?P<whole>(?:\w+ )?(?:{nouns})\b)?")
        self.before = re.compile(rf"(?P<word>\w+) (?:{nouns})\b")


@lru_cache(maxsize=32)
def _partial_pattern(asked: tuple[str, ...]) -> re.Pattern[str]:
    # A subject's own word is no part: "pattern", where one asks for that.
    partial = sorted(_PARTIAL.difference(asked))
    return re.compile(rf"\b(?:{'|'.join(partial)})\b")


@lru_cache(maxsize=8)
def _phrasing(called: frozenset[str]) -> _Phrasing:
    return _Phrasing(called)


def agreement(
    draft: Draft,
    metadata: Mapping[str, str],
    listing_map: ListingMap | None = None,
    language: str = ENGLISH,
) -> Agreement:
    """Compare an answer with the fields that ``listing_map``, or the packaged one, names.

    The packaged one is that for questions in ``language``, a code; without one nothing is known.
    """
    mapping = (listing_map or packaged_map(language)) if metadata else None
    if mapping is None:
        return Agreement.UNKNOWN
    if mapping.passed_over:
        return _by_words(draft, metadata, mapping)
    question = " ".join(words(draft.question))
    if not mapping.pattern.search(question):
        return Agreement.UNKNOWN
    for subject in mapping.subject.values():
        if subject.pattern.search(question):
            listing = {field_key(name): text for name, text in metadata.items()}
            stated = _stems(mapping.text_of(subject.fields, listing))
            # Most listings say nothing of what is asked; that is quickly seen.
            if not stated or not _is_about_the_whole(
                draft.question.lower(), question, subject, listing, mapping
            ):
                return Agreement.UNKNOWN
            return _compared(_stems(draft.answer), stated, subject.family_of)
    return Agreement.UNKNOWN


def _by_words(draft: Draft, metadata: Mapping[str, str], mapping: ListingMap) -> Agreement:
    subject = subject_asked(draft.question, mapping)
    if subject is None:
        return Agreement.UNKNOWN
    listing = {field_key(name): text for name, text in metadata.items()}
    stated = mapping.text_of(subject.fields, listing)
    if not stated or not is_about_the_whole(draft.question, subject, listing, mapping):
        return Agreement.UNKNOWN
    same = says_the_same(draft.answer, stated, subject, mapping)
    if same is None:
        return Agreement.UNKNOWN
    return Agreement.AGREES if same else Agreement.DISAGREES


def _is_about_the_whole(
    raw: str, question: str, subject: Subject, listing: Mapping[str, str], mapping: ListingMap
) -> bool:
    """Return whether a question, as written and normalised, asks about the product as a whole.

    It must name the product by a word of its listing, or by a general one, or nothing at all.
    """
    phrasing = _phrasing(mapping.called)
    if _partial_pattern(subject.asked).search(question) or phrasing.part.search(question):
        return False
    product = _product_nouns(
        mapping.text_of(mapping.names, listing),
        mapping.text_of(mapping.kinds, listing),
        mapping.no_products,
    )
    owned, before = phrasing.owned.search(raw), phrasing.before.search(question)
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
    if named is None or named["noun"].split()[-1] in mapping.called | _KIND_WORDS:
        return True
    return bool(_stems(named["noun"].split()[-1]) & product)


# A reply's questions are all about one product.
@lru_cache(maxsize=64)
def _product_nouns(names: str, kinds: str, no_products: frozenset[str]) -> frozenset[str]:
    """Return the words under which a question may name the product."""
    return (_stems(names) - no_products - _PARTS) | _stems(kinds) | _GENERIC


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


# A reply's questions are all compared with one listing, and few answers are in use.
@lru_cache(maxsize=1_024)
def _stems(text: str) -> frozenset[str]:
    """Return the words of ``text``, each also without a final s."""
    tokens = _WORD.findall(text.lower())
    return frozenset(form for word in tokens for form in (word, word.removesuffix("s")) if form)
