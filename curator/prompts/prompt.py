"""The prompt, its version and the schema of the answer; pure.

The constant text comes before the image, so that the service can cache it. Changed words, another
number of questions or longer answers give another version, hence another campaign in the ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from curator.prompts.schema import ANSWER_SCHEMA, PAIRS_SCHEMA, ReplySchema

_TEXT: Final = """\
You write a visual question answering data set for product images.
Look at the image below; the catalogue's data after it is context, and may be wrong.
Write exactly {questions} questions, {easy} of them easy to medium and {hard} hard.
- The image alone must be enough to answer each question. Never ask for brand, price or text that \
cannot be read in it.
- Easy to medium: colour, shape, kind of product, material, count, visible parts.
- Hard: position, relation of parts, pattern, texture, use, comparison within the image.
- Each answer is {words}, lower case, without punctuation, and does not occur in its question.
- All questions differ, and so do most answers. Ask no question whose answer is "unknown".
- Write in English.
Reply with a JSON array of objects with the fields question, answer and difficulty \
(easy, medium or hard)."""

_QUESTION_TEXT: Final = """\
Look at the image and answer the question below it.
- The answer is {words}, lower case, without punctuation, in English.
- Where the image does not tell, the answer is "unknown".
Reply with a JSON object with the field answer."""

METADATA_CHARACTERS: Final = 2_000
"""Longest catalogue text in a request."""
FIELD_CHARACTERS: Final = 400
CHARACTERS_PER_TOKEN: Final = 4.0
"""Of texts, until replies tell."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What of a request its tokens depend on.

    ``characters`` are those of its texts, ``longest_px`` is the longer side of its image, and
    ``questions`` how many pairs it asks for, 0 where it asks one question.
    """

    characters: int
    longest_px: int
    questions: int


@dataclass(frozen=True)
class Prompt:
    """The constant part of every request of a campaign.

    ``questions`` is how many are asked for, ``answer_words`` the longest answer in words.
    """

    questions: int
    answer_words: int

    def __post_init__(self) -> None:
        if self.questions < 1 or self.answer_words < 1:
            raise ValueError(f"at least one question and one word are needed, got {self!r}")

    @cached_property
    def text(self) -> str:
        """The words that precede the image."""
        easy = (self.questions + 1) // 2
        return _TEXT.format(
            questions=self.questions, easy=easy, hard=self.questions - easy, words=self._length
        )

    @property
    def _length(self) -> str:
        return "one word" if self.answer_words == 1 else f"at most {self.answer_words} words"

    @cached_property
    def version(self) -> str:
        """A name for exactly these words and this schema."""
        content = repr((self.text, sorted(self.schema().items()), METADATA_CHARACTERS))
        return f"1-{hashlib.sha256(content.encode()).hexdigest()[:8]}"

    def schema(self) -> dict[str, Any]:
        """Return the schema of the reply in Gemini's dialect."""
        return dict(PAIRS_SCHEMA.content)

    def largest_measure(self, longest_px: int) -> Measure:
        """Return the measure with the longest catalogue text and an image of ``longest_px``."""
        return Measure(len(self.text) + METADATA_CHARACTERS, longest_px, self.questions)

    def request(self, metadata: Mapping[str, str], image_jpeg: bytes, longest_px: int) -> Request:
        """Return the request for one image of ``longest_px`` pixels on its longer side."""
        return Request(
            self.text,
            image_jpeg,
            metadata_text(metadata),
            longest_px,
            PAIRS_SCHEMA,
            self.questions,
        )

    def question_request(self, question: str, image_jpeg: bytes, longest_px: int) -> Request:
        """Return the request for a second opinion: image and question, no answer, no listing."""
        text = _QUESTION_TEXT.format(words=self._length)
        return Request(text, image_jpeg, f"Question: {question}", longest_px, ANSWER_SCHEMA)


@dataclass(frozen=True, slots=True)
class Request:
    """One request: the constant text, the image as JPEG, the text after it.

    ``longest_px`` is the longer side of the image, ``questions`` how many pairs are asked for, 0
    where it is the answer to one question.
    """

    prompt_text: str
    image_jpeg: bytes
    closing_text: str
    longest_px: int
    schema: ReplySchema
    questions: int = 0

    @property
    def measure(self) -> Measure:
        """What of it its tokens depend on."""
        characters = len(self.prompt_text) + len(self.closing_text)
        return Measure(characters, self.longest_px, self.questions)


def metadata_text(metadata: Mapping[str, str]) -> str:
    """Return the catalogue's fields as one block of lines, cut to ``METADATA_CHARACTERS``."""
    lines = [f"{name}: {value[:FIELD_CHARACTERS]}" for name, value in metadata.items() if value]
    return "\n".join(["Catalogue data:", *lines])[:METADATA_CHARACTERS] if lines else ""
