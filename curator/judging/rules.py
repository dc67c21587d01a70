"""Which drafts are fit for the data set, by rules with names; pure.

A draft that breaks a rule is kept with the rule's name, never lost. Which rules apply, and in which
language, the prompt file says.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from curator.judging.agreeing.agreement import Agreement, agreement
from curator.judging.agreeing.listing_map import ListingMap
from curator.judging.choices import offers
from curator.judging.drafts import Draft
from curator.judging.reply_fields import MISSING, picture_named, typed_fields
from curator.prompts.languages.language import Language
from curator.prompts.languages.words import words_of
from curator.prompts.prompt_file import (
    AnswerKind,
    PromptFile,
    QuestionLength,
    ReplyField,
    Style,
    default_prompt,
)
from curator.prompts.reply_fields import STYLE
from shared.value_class import value_class

_NOTHING_KNOWN: Final[Mapping[str, str]] = MappingProxyType({})
_NO_FIELDS: Final[Mapping[str, ReplyField]] = MappingProxyType({})


class Rule(StrEnum):
    """Why a draft was rejected; the names appear in ``curator status`` and in the ledger."""

    EMPTY = "empty"
    QUESTION_LENGTH = "question_length"
    WORD_COUNT = "word_count"
    REFUSAL = "refusal"
    LANGUAGE = "language"
    """Letters of another script, or a question without one common word of the language."""
    ANSWER_IN_QUESTION = "answer_in_question"
    """The question gives its answer away, and not as one of several choices."""
    DUPLICATE_QUESTION = "duplicate_question"
    SURPLUS = "surplus"
    """More questions than were asked for: the first ones stay, and every image weighs the same."""
    STYLE = "style"
    """A style that was not asked for, or an answer that is none of its style's."""
    FIELD = "field"
    """A field that is required is missing, or holds something else."""
    PICTURE = "picture"
    """It names none of the pictures that the request had, of which there were several."""


@value_class
class RejectedDraft:
    """A draft and the first rule that it broke."""

    draft: Draft
    rule: Rule


@value_class
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
    prompt: PromptFile | None = None,
    styles: Sequence[str] = (),
    listing_map: ListingMap | None = None,
    pictures: Collection[int] | None = None,
) -> Verdict:
    """Sort the drafts of one image by the rules of ``prompt``, or of the default one.

    ``answer_words`` is the longest answer, ``most`` the number of pairs that were asked for,
    ``metadata`` what the listing says about the product, ``styles`` are those that were asked for.
    ``listing_map`` says which of its fields answer what, if not the packaged mapping for the
    prompt's language. Where the request had several pictures, each draft names the one it is about,
    one of ``pictures``.
    """
    bench = _Bench(prompt or default_prompt(), answer_words, tuple(styles))
    is_plain, rules = bench.is_plain, bench.rules
    is_unique, most = rules.duplicate_question, most if rules.surplus else None
    accepted: list[Draft] = []
    rejected: list[RejectedDraft] = []
    seen: set[tuple[int, str]] = set()
    for written in drafts:
        draft = written if is_plain and not written.others else bench.in_its_style(written)
        if pictures is not None:
            draft = replace(draft, picture=picture_named(written.others))
        question = words_of(draft.question)
        rule = bench.broken_rule(draft, question)
        asked = draft.picture, " ".join(question)
        if rule is None and pictures is not None and draft.picture not in pictures:
            rule = Rule.PICTURE
        if rule is None and is_unique and asked in seen:
            rule = Rule.DUPLICATE_QUESTION
        if rule is None and len(accepted) == most:
            rule = Rule.SURPLUS
        if rule is None:
            seen.add(asked)
            accepted.append(draft)
        else:
            rejected.append(RejectedDraft(draft, rule))
    code = bench.prompt.language if isinstance(bench.prompt.language, str) else ""
    agreements = [agreement(draft, metadata, listing_map, code) for draft in accepted]
    return Verdict(tuple(accepted), tuple(rejected), tuple(agreements))


class _Bench:
    """A prompt's rules, for the drafts of one reply."""

    __slots__ = (
        *("_answer_words", "_asked", "_fewest_words", "_fields", "_is_quick", "_language"),
        *("_most_characters", "is_plain", "prompt", "rules"),
    )

    def __init__(self, prompt: PromptFile, answer_words: int, styles: Sequence[str]) -> None:
        self.prompt = prompt
        self.rules = prompt.rules
        self._language: Language = prompt.spoken
        self._answer_words = answer_words
        self._asked = styles
        self._fields = prompt.extra_fields if prompt.fields else _NO_FIELDS
        self.is_plain = not prompt.styles and not self._fields
        self._is_quick = self.is_plain and "LATIN" in self._language.scripts
        length = prompt.rules.question_length
        if not isinstance(length, QuestionLength):
            self._fewest_words, self._most_characters = 0, sys.maxsize
        else:
            self._fewest_words, self._most_characters = length.words, length.characters

    def in_its_style(self, draft: Draft) -> Draft:
        """Return ``draft`` with the fields and the style that its prompt has, and no others.

        Where a question cannot be answered, the answer says so in one word.
        """
        prompt = self.prompt
        name = str(draft.others.get(STYLE, "")).strip().lower() if prompt.styles else ""
        if not name and len(self._asked) == 1:
            name = self._asked[0]
        answer = draft.answer
        style = prompt.styles.get(name)
        if style and style.answer is AnswerKind.UNANSWERABLE and self._refuses(answer):
            answer = self._language.unanswerable
        others = typed_fields(self._fields, draft.others)
        return replace(draft, answer=answer, style=name, others=others)

    def _refuses(self, answer: str) -> bool:
        return self._language.refuses(words_of(answer))

    def broken_rule(self, draft: Draft, question: Sequence[str]) -> Rule | None:
        """Return the first rule that a draft breaks by itself."""
        answer = words_of(draft.answer)
        if not question or not answer:
            return Rule.EMPTY
        if self._is_like_most(draft, question, answer):
            return None
        style = self.prompt.styles.get(draft.style) if draft.style else None
        rule = self._broken_by_form(draft, question, answer, style)
        if rule is None:
            rule = self._broken_by_words(draft, question, answer)
        if rule is None and not self.is_plain:
            rule = self._broken_of_its_own(draft, answer, style)
        return rule

    def _is_like_most(self, draft: Draft, question: Sequence[str], answer: Sequence[str]) -> bool:
        """Return whether a draft breaks none of the rules, by those alone that are quickly seen.

        Nearly all are answered by one word, in ASCII; it takes half of the time of what follows.
        """
        return (
            self._is_quick
            and len(answer) == 1
            and answer[0] not in question
            and len(question) >= self._fewest_words
            and len(draft.question) <= self._most_characters
            and len(draft.answer.split()) == 1
            and draft.question.isascii()
            and draft.answer.isascii()
            and self._language.asks(question)
            and not self._language.refuses(answer)
        )

    def _broken_by_form(
        self, draft: Draft, question: Sequence[str], answer: Sequence[str], style: Style | None
    ) -> Rule | None:
        rules = self.rules
        if len(question) < self._fewest_words or len(draft.question) > self._most_characters:
            return Rule.QUESTION_LENGTH
        is_answerable = style is None or style.answer is not AnswerKind.UNANSWERABLE
        if rules.refusal and is_answerable and self._language.refuses(answer):
            return Rule.REFUSAL
        longest = (style and style.answer_words) or self._answer_words
        if rules.word_count and len(draft.answer.split()) > longest:
            return Rule.WORD_COUNT
        return None

    def _broken_by_words(
        self, draft: Draft, question: Sequence[str], answer: Sequence[str]
    ) -> Rule | None:
        rules, language = self.rules, self._language
        if (
            rules.answer_in_question
            and _contains(question, answer)
            and not offers(draft.question, answer, language)
        ):
            return Rule.ANSWER_IN_QUESTION
        if rules.language and not (
            language.asks(question) and language.is_written_in(draft.question + draft.answer)
        ):
            return Rule.LANGUAGE
        return None

    def _broken_of_its_own(
        self, draft: Draft, answer: Sequence[str], style: Style | None
    ) -> Rule | None:
        """Return which rule a draft breaks that only prompts with styles or fields have."""
        rules = self.rules
        if rules.style and self.prompt.styles and self._is_of_no_style(draft, answer, style):
            return Rule.STYLE
        if rules.field and any(
            field.required and draft.others.get(name) is MISSING
            for name, field in self._fields.items()
        ):
            return Rule.FIELD
        return None

    def _is_of_no_style(self, draft: Draft, answer: Sequence[str], style: Style | None) -> bool:
        """Return whether a style was not asked for, or the answer is none of it."""
        if style is None or (self._asked and draft.style not in self._asked):
            return bool(draft.style)
        match style.answer:
            case AnswerKind.NUMBER:
                return not self._language.number(draft.answer)
            case AnswerKind.YES_NO:
                return self._language.truth(draft.answer) is None
            case AnswerKind.UNANSWERABLE:
                return not self._language.refuses(answer)
            case _:
                return False


def _contains(words: Sequence[str], phrase: Sequence[str]) -> bool:
    if phrase[0] not in words:
        return False
    spans = range(len(words) - len(phrase) + 1)
    return any(list(words[at : at + len(phrase)]) == list(phrase) for at in spans)
