"""Makes up questions and answers about any image: in the styles, the language and the fields asked.

They depend on the picture's looks and on nothing else, so that a question that is asked again has
the same answer, after a restart too.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import cycle, islice
from typing import Any, Final

from curator.prompts.languages.language import known_languages
from curator.prompts.reply_fields import PICTURE, STYLE
from curator.rehearsal.answers.answer_book import UNKNOWN_IMAGE, KnownImage
from curator.rehearsal.answers.picture_facts import nearest, region_colours
from curator.rehearsal.inbound import Inquiry
from shared.program.toml_files import parsed_toml
from shared.questions.answers import normalise
from shared.records import QAPair
from shared.value_class import value_class

QUESTIONS: Final = 10
"""Where a request names no number."""
_FILE: Final = "invention.toml"
_USUAL: Final = ("colour", "material", "count", "yes", "position", "no")
_ASKED: Final = re.compile(
    r"^\s*- (?P<count>\d+) (?P<style>[a-z][a-z0-9_]*): (?P<text>.*)$", re.MULTILINE
)
_WITH: Final = re.compile(r"(\d+) with \"")
_CORE: Final = frozenset({"question", "q", "answer", "a", "difficulty", STYLE, PICTURE})


@cache
def _words() -> Mapping[str, Any]:
    text = files("curator.rehearsal.answers").joinpath(_FILE).read_text(encoding="utf-8")
    return parsed_toml(text, _FILE)


class Inventor:
    """Knows an answer to every question that it asks itself, about every image."""

    async def about(self, inquiry: Inquiry) -> KnownImage:
        """Return as many pairs as are asked for, or all that answer the one question asked.

        Raises:
            CorruptImage: the image cannot be decoded.
        """
        if not inquiry.images:
            return UNKNOWN_IMAGE
        return await asyncio.to_thread(invented, inquiry)


def invented(inquiry: Inquiry) -> KnownImage:
    """Return what is made up for a request about an image.

    Raises:
        CorruptImage: the image cannot be decoded.
    """
    picture = _Picture.of(inquiry.images[0])
    if inquiry.single_question:
        asked = normalise(inquiry.single_question)
        banks = (picture.bank(code, asked.split(), inquiry) for code in known_languages())
        everything = (pair for bank in banks for pair in bank)
        pairs = tuple(pair for pair in everything if normalise(pair.question) == asked)
    else:
        pairs = tuple(_chosen(picture, inquiry))
    return KnownImage(picture.name, pairs)


def _chosen(picture: _Picture, inquiry: Inquiry) -> Iterator[QAPair]:
    code = _language(inquiry.text)
    wanted = list(_kinds(inquiry))
    turns: dict[str, int] = {}
    for style, kind in wanted:
        turn = turns.get(kind, 0)
        turns[kind] = turn + 1
        yield picture.pair(code, style, kind, turn, inquiry)


def _kinds(inquiry: Inquiry) -> Iterator[tuple[str, str]]:
    """Yield the style and the kind of question for each that is asked for."""
    known = _words()["en"]["ask"]
    asked = list(_ASKED.finditer(inquiry.text)) if STYLE in _properties(inquiry.schema) else []
    for match in asked:
        style, count = match["style"], int(match["count"])
        if style == "yes_no":
            yes = _WITH.search(match["text"])
            affirmed = int(yes[1]) if yes else count // 2
            kinds = ["yes"] * affirmed + ["no"] * (count - affirmed)
        else:
            kinds = [style if style in known else "any"] * count
        yield from ((style, kind) for kind in kinds)
    if not asked:
        yield from (("", kind) for kind in islice(cycle(_USUAL), inquiry.questions or QUESTIONS))


def _language(text: str) -> str:
    """Return the code of the language that a request asks for by its name; English else."""
    return next(
        (code for code, one in known_languages().items() if re.search(rf"\bin {one.name}\b", text)),
        "en",
    )


def _properties(schema: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return what each pair of a reply is to have, by name."""
    waiting: list[object] = [schema]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, dict):
            properties = inner.get("properties")
            if isinstance(properties, dict) and "question" in properties:
                return properties
            waiting.extend(inner.values())
    return {}


@value_class
class _Picture:
    """What is known of a picture: its colours, the object's first, and a digest of them."""

    name: str
    colours: Sequence[str]

    @classmethod
    def of(cls, content: bytes) -> _Picture:
        words = _words()
        seen = region_colours(content, len(words["en"]["parts"]))
        colours = [nearest(colour, words["colours"]) for colour in seen]
        # By the looks: the same picture is sent in several sizes and encodings.
        return cls(" ".join(colours), colours)

    def bank(self, code: str, styles: Sequence[str], inquiry: Inquiry) -> Iterator[QAPair]:
        """Yield every question about the picture in a language, of any of the ``styles``."""
        for kind in _words()[code]["ask"]:
            for style in styles if kind == "any" else ("",):
                for turn in range(len(_words()[code]["parts"])):
                    yield self.pair(code, style, kind, turn, inquiry)

    def pair(self, code: str, style: str, kind: str, turn: int, inquiry: Inquiry) -> QAPair:
        """Return the ``turn``-th question of a kind, with its answer and further fields."""
        words = _words()[code]
        parts = words["parts"]
        place = turn % len(parts)
        part, other = parts[place], parts[(place + 1) % len(parts)]
        ask, told = words["ask"][kind]
        question = ask.format(part=_named(part), parts=part[1], other=_named(other), style=style)
        if turn >= len(parts):
            question = f"{question.removesuffix('?')} ({turn // len(parts) + 1})?"
        answer = self._answer(words, told, place, question)
        extra = _fields(_properties(inquiry.schema), self._draw(question))
        known = ((STYLE, style), *extra) if style else extra
        return QAPair(self.name, question, answer, self.name or "picture", extra=known)

    def _answer(self, words: Mapping[str, Any], told: str, place: int, question: str) -> str:
        draw, parts = self._draw(question), words["parts"]
        match told:
            case "colour":
                return str(words["colours"][self.colours[place]])
            case "count":
                return str(draw % 6 + 1)
            case "other":
                return str(parts[(place + draw % 2) % len(parts)][0]).lower()
            case _:
                known = words[told]
                return known if isinstance(known, str) else str(known[draw % len(known)])

    def _draw(self, salt: str) -> int:
        """Return a number that picture and ``salt`` alone decide."""
        digest = hashlib.blake2b(f"{self.name}\0{salt}".encode(), digest_size=6).digest()
        return int.from_bytes(digest, "big")


def _named(part: Sequence[str]) -> str:
    """Return a part as a question names it: with its article, where the language has one."""
    return part[2] if len(part) > 2 else part[0]  # noqa: PLR2004 - one, several, with its article


def _fields(properties: Mapping[str, Any], draw: int) -> tuple[tuple[str, Any], ...]:
    """Return a value for each further field that a reply is to have, by its type."""
    fields = []
    for name, schema in properties.items():
        if name in _CORE or not isinstance(schema, dict):
            continue
        allowed = schema.get("enum")
        made_up: dict[str, Any] = {
            "INTEGER": draw % 5 + 1,
            "NUMBER": draw % 101 / 100,
            "BOOLEAN": draw % 2 == 0,
            "STRING": f"made-up {name}",
        }
        kind = str(schema.get("type", "")).upper()
        value = allowed[draw % len(allowed)] if allowed else made_up.get(kind)
        if value is not None:
            fields.append((name, value))
    return tuple(fields)
