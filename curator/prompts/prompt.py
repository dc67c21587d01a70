"""The prompt, its version and what it asks about an image; pure.

Text that is the same for many images comes before the image, so that the service can cache it.
Changed words, rules or styles, another number of questions or longer answers give another version,
hence another campaign in the ledger.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from curator.prompts.languages.language import Language
from curator.prompts.prompt_file import AnswerKind, PromptFile, default_prompt
from curator.prompts.schema import ANSWER_SCHEMA, pairs_schema
from curator.prompts.shares import allotted, draw
from curator.prompts.template import LISTING_CHARACTERS, Template
from curator.prompts.wording import (
    constants,
    examples_text,
    fields_text,
    pictures_text,
    styles_text,
)
from shared.endpoints.request import Measure, ReplySchema, Request, caption
from shared.value_class import value_class

_NOTHING: Final[Mapping[str, str]] = {}
_ALONE: Final = {"questions", "answer_words"}
"""What of a file the command line may say otherwise."""


@value_class
class Asked:
    """What a request asks for: so many questions, of each style where there are styles.

    ``yes`` is how many of those that are answered by yes or no are to be answered by yes.
    """

    questions: int
    styles: tuple[tuple[str, int], ...] = ()
    yes: int = 0


@dataclass(frozen=True)
class Prompt:
    """What a campaign asks of each image.

    ``questions`` is how many are asked for, ``answer_words`` the longest answer in words, ``file``
    all else. Up to ``views`` pictures of a listing stand in one request.
    """

    questions: int
    answer_words: int
    file: PromptFile = field(default_factory=default_prompt)
    views: int = 1

    def __post_init__(self) -> None:
        if self.questions < 1 or self.answer_words < 1:
            raise ValueError(f"at least one question and one word are needed, got {self!r}")

    @cached_property
    def language(self) -> Language:
        """The language that questions and answers are in."""
        return self.file.spoken

    @cached_property
    def text(self) -> str:
        """The words that precede the image, where nothing in them depends on it."""
        return self.text_for(self.asked(""), _NOTHING)

    @cached_property
    def version(self) -> str:
        """A name for exactly what is asked and how it is judged.

        A prompt that differs from the default one in numbers alone has a name by its words and
        schema, as it had before there were others.
        """
        usual = default_prompt().model_dump(exclude=_ALONE)
        if self.views == 1 and self.file.model_dump(exclude=_ALONE) == usual:
            schema = sorted(self.schema.content.items())
            content = repr((self.text, schema, LISTING_CHARACTERS))
            return f"1-{_digest(content)}"
        return f"2-{_digest(json.dumps(self.plain(), ensure_ascii=False, sort_keys=True))}"

    def plain(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        numbers = {"questions": self.questions, "answer_words": self.answer_words}
        if self.views > 1:
            numbers["views"] = self.views
        return self.file.model_dump(mode="json") | numbers

    @cached_property
    def schema(self) -> ReplySchema:
        """The form of the reply, in Gemini's dialect."""
        return pairs_schema(self.file.fields, tuple(self.file.styles))

    @cached_property
    def _schema_of_pictures(self) -> ReplySchema:
        return pairs_schema(self.file.fields, tuple(self.file.styles), self.views)

    @property
    def longest_answer(self) -> int:
        """The most words that an answer of any style may have."""
        styles = self.file.styles.values()
        return max([self.answer_words, *(style.answer_words or 0 for style in styles)])

    def asked(self, image: str) -> Asked:
        """Return what is asked about the image with that path, always the same."""
        styles = self.file.styles
        if not styles:
            return Asked(self.questions)
        shares = {name: style.share for name, style in styles.items()}
        counts = allotted(shares, self.questions, draw("styles", image))
        doubtful = sum(
            count for name, count in counts.items() if styles[name].answer is AnswerKind.YES_NO
        )
        odd = doubtful % 2 and draw("yes", image) < 1 / 2
        return Asked(self.questions, tuple(counts.items()), doubtful // 2 + bool(odd))

    def text_for(self, asked: Asked, listing: Mapping[str, str]) -> str:
        """Return the words that precede the image of a ``listing``."""
        if asked not in self._values:
            self._values[asked] = self._filled(asked)
        return self._text.render(self._values[asked], listing)

    @cached_property
    def _values(self) -> dict[Asked, Mapping[str, str]]:
        """What stands in the places of the text, by what is asked: images ask for few mixes."""
        return {}

    def _filled(self, asked: Asked) -> Mapping[str, str]:
        file, easy = self.file, (asked.questions + 1) // 2
        styles = styles_text(file.styles, dict(asked.styles), asked.yes, self._constants)
        return {
            **self._constants,
            "questions": str(asked.questions),
            "easy": str(easy),
            "hard": str(asked.questions - easy),
            "fields": fields_text(file.fields, has_styles=bool(file.styles)),
            "styles": styles,
            "examples": examples_text(file.examples),
        }

    def context_for(self, listing: Mapping[str, str]) -> str:
        """Return the words that follow the image: nothing where the listing has nothing to say."""
        if not self._context.says_anything_of(listing):
            return ""
        room = max(0, LISTING_CHARACTERS - self._context.characters)
        return self._context.render(self._constants, listing, room)

    @property
    def needs_fields(self) -> bool:
        """Whether it names fields of listings, with nothing to stand for them where they lack."""
        places = (*self._text.placeholders, *self._context.placeholders)
        return any(place.field and not place.fallback for place in places)

    def require_fields(self, fields: Collection[str]) -> None:
        """Check that listings that have ``fields`` have all that it names.

        Raises:
            ValueError: they lack one.
        """
        self._text.require_fields(fields)
        self._context.require_fields(fields)

    def largest_measure(self, longest_px: int) -> Measure:
        """Return the measure with the longest texts of listings and an image of ``longest_px``."""
        each = tuple((name, self.questions) for name in self.file.styles)
        everything = self.text_for(Asked(self.questions, each, self.questions), _NOTHING)
        text = len(everything) + self._text.longest_filling
        if self.views > 1:
            text += len(pictures_text(self.views)) + sum(
                len(caption(number)) for number in range(2, self.views + 1)
            )
        return Measure(text + LISTING_CHARACTERS, longest_px, self.questions, self.views)

    def request(
        self,
        listing: Mapping[str, str],
        image_jpeg: bytes,
        longest_px: int,
        image: str = "",
        further_jpegs: tuple[bytes, ...] = (),
    ) -> Request:
        """Return the request for one image of ``longest_px`` pixels on its longer side.

        ``listing`` is what the catalogue says, ``image`` the path of the image, which decides of
        which styles questions are asked. ``further_jpegs`` are more pictures of the listing,
        none of them longer.
        """
        text = self.text
        if self.file.styles or self._text.heeds_listing:
            text = self.text_for(self.asked(image), listing)
        request = Request(
            text, image_jpeg, self.context_for(listing), longest_px, self.schema, self.questions
        )
        if not further_jpegs:
            return request
        return replace(
            request,
            prompt_text=text + pictures_text(1 + len(further_jpegs)),
            schema=self._schema_of_pictures,
            further_jpegs=further_jpegs,
        )

    def question_request(self, question: str, image_jpeg: bytes, longest_px: int) -> Request:
        """Return the request for a second opinion: image and question, no answer, no listing."""
        closing = f"Question: {question}"
        return Request(self._question_text, image_jpeg, closing, longest_px, ANSWER_SCHEMA)

    @cached_property
    def _text(self) -> Template:
        return Template(self.file.text)

    @cached_property
    def _context(self) -> Template:
        return Template(self.file.context)

    @cached_property
    def _constants(self) -> Mapping[str, str]:
        return constants(self.language, self.answer_words)

    @cached_property
    def _question_text(self) -> str:
        values = constants(self.language, self.longest_answer)
        return Template(self.file.question_text).render(values, _NOTHING)


def with_numbers(
    file: PromptFile, questions: int | None = None, answer_words: int | None = None
) -> Prompt:
    """Return the prompt of a file, with its own numbers where none are given."""
    return Prompt(questions or file.questions, answer_words or file.answer_words, file)


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:8]
