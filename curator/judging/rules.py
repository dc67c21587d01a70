"""Which drafts are fit for the data set, by rules with names; pure.

A draft that breaks a rule is kept with the rule's name, never lost.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from curator.judging.agreement import Agreement, agreement
from curator.judging.choices import offers
from curator.judging.parser import Draft

LONGEST_QUESTION: Final = 300
"""Characters."""
SHORTEST_QUESTION: Final = 3
"""Words."""

REFUSALS: Final = frozenset(
    {
        "cannot be determined",
        "cannot tell",
        "indeterminate",
        "n a",
        "na",
        "none visible",
        "not applicable",
        "not available",
        "not specified",
        "not visible",
        "unable to determine",
        "unanswerable",
        "unclear",
        "undetermined",
        "unknown",
        "unspecified",
    }
)
"""Answers that answer nothing, normalised."""

ENGLISH: Final = frozenset(
    {
        *("any", "are", "can", "does", "has", "how", "it", "its", "the", "there", "these", "this"),
        *("what", "when", "where", "which", "who", "whose", "why"),
    }
)
"""An English question has one of these, or begins with "is"; of 39,730 real ones all do."""
_WORD: Final = re.compile(r"\w+")
_GAPS: Final = {code: " " for code in range(128) if not _WORD.fullmatch(chr(code))}
_NOTHING_KNOWN: Final[Mapping[str, str]] = MappingProxyType({})


class Rule(StrEnum):
    """Why a draft was rejected; the names appear in ``curator status`` and in the ledger."""

    EMPTY = "empty"
    QUESTION_LENGTH = "question_length"
    WORD_COUNT = "word_count"
    REFUSAL = "refusal"
    LANGUAGE = "language"
    """Letters of another script, or a question without one common English word."""
    ANSWER_IN_QUESTION = "answer_in_question"
    """The question gives its answer away, and not as one of several choices."""
    DUPLICATE_QUESTION = "duplicate_question"
    SURPLUS = "surplus"
    """More questions than were asked for: the first ones stay, and every image weighs the same."""


@dataclass(frozen=True, slots=True)
class RejectedDraft:
    """A draft and the first rule that it broke."""

    draft: Draft
    rule: Rule


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the drafts of one reply, each list in the reply's order.

    ``agreements`` tells of each accepted draft whether the listing says the same.
    """

    accepted: tuple[Draft, ...]
    rejected: tuple[RejectedDraft, ...]
    agreements: tuple[Agreement, ...]


def validate(
    drafts: Iterable[Draft],
    *,
    answer_words: int,
    most: int | None = None,
    metadata: Mapping[str, str] = _NOTHING_KNOWN,
) -> Verdict:
    """Sort the drafts of one image by the rules.

    ``answer_words`` is the longest answer, ``most`` the number of pairs that were asked for,
    ``metadata`` what the listing says about the product.
    """
    accepted: list[Draft] = []
    rejected: list[RejectedDraft] = []
    seen: set[str] = set()
    for draft in drafts:
        question = _words(draft.question)
        rule = _broken_rule(draft, question, answer_words)
        if rule is None and " ".join(question) in seen:
            rule = Rule.DUPLICATE_QUESTION
        if rule is None and len(accepted) == most:
            rule = Rule.SURPLUS
        if rule is None:
            seen.add(" ".join(question))
            accepted.append(draft)
        else:
            rejected.append(RejectedDraft(draft, rule))
    agreements = tuple(agreement(draft, metadata) for draft in accepted)
    return Verdict(tuple(accepted), tuple(rejected), agreements)


def _broken_rule(draft: Draft, question: Sequence[str], answer_words: int) -> Rule | None:
    answer = _words(draft.answer)
    if not question or not answer:
        return Rule.EMPTY
    if len(question) < SHORTEST_QUESTION or len(draft.question) > LONGEST_QUESTION:
        return Rule.QUESTION_LENGTH
    if " ".join(answer) in REFUSALS:
        return Rule.REFUSAL
    if len(draft.answer.split()) > answer_words:
        return Rule.WORD_COUNT
    if _contains(question, answer) and not offers(draft.question, answer):
        return Rule.ANSWER_IN_QUESTION
    in_english = _is_latin(draft.question + draft.answer) and _is_english(question)
    return None if in_english else Rule.LANGUAGE


def _is_latin(text: str) -> bool:
    return text.isascii() or all(
        unicodedata.name(letter, "").startswith("LATIN") for letter in text if letter.isalpha()
    )


def _is_english(question: Sequence[str]) -> bool:
    return question[0] == "is" or not ENGLISH.isdisjoint(question)


def _words(text: str) -> list[str]:
    lower = text.lower()
    # The same, in a third of the time.
    return lower.translate(_GAPS).split() if lower.isascii() else _WORD.findall(lower)


def _contains(words: Sequence[str], phrase: Sequence[str]) -> bool:
    if phrase[0] not in words:
        return False
    spans = range(len(words) - len(phrase) + 1)
    return any(list(words[at : at + len(phrase)]) == list(phrase) for at in spans)
