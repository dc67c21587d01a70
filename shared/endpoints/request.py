"""One request as it is asked, the form of its reply, and what its tokens depend on; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.value_class import value_class

CHARACTERS_PER_TOKEN: Final = 4.0
"""Of texts, until replies tell."""


@value_class
class Measure:
    """What of a request its tokens depend on.

    ``characters`` are those of its texts, ``longest_px`` is the longer side of its image, or of the
    largest of several ``images``, and ``questions`` how many pairs it asks for, 0 where it asks one
    question.
    """

    characters: int
    longest_px: int
    questions: int
    images: int = 1


@dataclass(frozen=True, eq=False)
class ReplySchema:
    """The form that a reply must have: a name, and a schema in Gemini's dialect."""

    name: str
    content: Mapping[str, Any]


NO_SCHEMA: Final = ReplySchema("", {})
"""Of a reply that is plain text."""


@value_class
class Request:
    """One request: the text before the image, the image as JPEG, the text after it.

    Without an image, ``None``, it is text alone. ``longest_px`` is the longer side of the image,
    ``questions`` how many pairs are asked for, 0 where it is the answer to one question.
    ``further_jpegs`` are more pictures of the same listing, each with ``caption`` before it.
    ``temperature`` is ``None`` for the model's own, and ``most_output_tokens``, thinking included,
    for as many as it likes.
    """

    prompt_text: str
    image_jpeg: bytes | None
    closing_text: str
    longest_px: int
    schema: ReplySchema
    questions: int = 0
    temperature: float | None = None
    most_output_tokens: int | None = None
    further_jpegs: tuple[bytes, ...] = ()

    @property
    def further(self) -> list[tuple[str, bytes]]:
        """The further pictures, each with the words before it."""
        return [(caption(number), jpeg) for number, jpeg in enumerate(self.further_jpegs, start=2)]

    @property
    def measure(self) -> Measure:
        """What of it its tokens depend on."""
        characters = len(self.prompt_text) + len(self.closing_text)
        if self.further_jpegs:
            characters += sum(len(words) for words, _ in self.further)
        return Measure(characters, self.longest_px, self.questions, self._images)

    @property
    def _images(self) -> int:
        return 1 + len(self.further_jpegs) if self.image_jpeg is not None else 0


def caption(number: int) -> str:
    """Return the words before a picture of several."""
    return f"Picture {number}:"
