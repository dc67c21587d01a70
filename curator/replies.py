"""Reply text to question/answer drafts: pure, and total on any text.

Structured output comes first: a JSON array of objects, also inside a fence, wrapped in an object,
followed by prose or cut off in the middle (complete objects are kept). Else plain lists are read,
numbered or not, with the answer on the question's line or on the next one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LONGEST_REPLY: Final = 200_000
"""Characters; what comes after is not read."""
JSON_STARTS: Final = 500
"""How many opening brackets are tried before the text is taken for prose."""
DIFFICULTIES: Final = ("easy", "medium", "hard")

_QUESTION = re.compile(r"^(?:q|question)\s*\d*\s*[:.)\-]\s*(?P<rest>.+)$", re.IGNORECASE)
_ANSWER = re.compile(r"^(?:a|ans|answer)\s*\d*\s*[:.)\-=]\s*(?P<rest>.+)$", re.IGNORECASE)
_NUMBER = re.compile(r"^\(?\d{1,3}\s*[.):\-]\s*(?P<rest>.+)$")
_INLINE_ANSWER = re.compile(r"\b(?:a|ans|answer)\s*\d*\s*[:=]\s*", re.IGNORECASE)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_DASHES = "-\N{EN DASH}\N{EM DASH}"
_BULLETS = f"{_DASHES}\N{BULLET} "
_SEPARATORS = f"{_DASHES} \t:|>=,;()[]"


@dataclass(frozen=True, slots=True)
class Draft:
    """A question and its answer as they stand in a reply, not yet validated.

    ``difficulty`` is one of ``DIFFICULTIES`` or empty.
    """

    question: str
    answer: str
    difficulty: str = ""


@dataclass(frozen=True, slots=True)
class Unparsable:
    """A reply without one question and answer; ``detail`` says what it looked like."""

    detail: str


def parse_reply(text: str) -> tuple[Draft, ...] | Unparsable:
    """Return the drafts in ``text``, in order, or why there are none. Never raises."""
    text = text[:LONGEST_REPLY]
    if not text.strip():
        return Unparsable("empty reply")
    drafts = (
        tuple(_json_drafts(text))
        or tuple(_json_drafts(_TRAILING_COMMA.sub(r"\1", text)))
        or tuple(_list_drafts(text))
    )
    return drafts or Unparsable("no question with an answer in the reply")


def _json_drafts(text: str) -> Iterator[Draft]:
    decoder = json.JSONDecoder()
    position = _next_bracket(text, 0)
    for _ in range(JSON_STARTS):
        if position < 0:
            return
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            # Cut off, or not JSON from here: the objects inside may still be whole.
            end = position + 1
        else:
            yield from _drafts_in(value)
        position = _next_bracket(text, end)


def _next_bracket(text: str, start: int) -> int:
    found = [at for at in (text.find("[", start), text.find("{", start)) if at >= 0]
    return min(found, default=-1)


def _drafts_in(value: object) -> Iterator[Draft]:
    if isinstance(value, list):
        for one in value:
            yield from _drafts_in(one)
    elif isinstance(value, dict):
        fields = {str(name).strip().lower(): field for name, field in value.items()}
        question = _text(fields.get("question", fields.get("q")))
        answer = _text(fields.get("answer", fields.get("a")))
        if question and answer:
            difficulty = _text(fields.get("difficulty")).lower()
            yield Draft(question, answer, difficulty if difficulty in DIFFICULTIES else "")
        else:
            for field in value.values():
                if isinstance(field, (list, dict)):
                    yield from _drafts_in(field)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (str, int, float)):
        return " ".join(str(value).split())
    return ""


def _list_drafts(text: str) -> Iterator[Draft]:
    pending = ""
    for raw in text.splitlines():
        line = " ".join(re.sub(r"[*_`#]+", " ", raw).split()).lstrip(_BULLETS)
        if not line:
            continue
        if answer := _ANSWER.match(line):
            if pending:
                yield Draft(pending, _answer(answer["rest"]))
            pending = ""
            continue
        question, answer_text = _question_of(line)
        if question and answer_text:
            yield Draft(question, answer_text)
            pending = ""
        elif question:
            pending = question
        elif pending:
            if answer_text := _answer(line):
                yield Draft(pending, answer_text)
            pending = ""


def _question_of(line: str) -> tuple[str, str]:
    """Return the question and the answer on a line, each empty where there is none."""
    numbered = _NUMBER.match(line)
    rest = numbered["rest"] if numbered else line
    named = _QUESTION.match(rest)
    rest = named["rest"] if named else rest
    if inline := _INLINE_ANSWER.search(rest, 1):
        return rest[: inline.start()].rstrip(_SEPARATORS), _answer(rest[inline.end() :])
    head, mark, tail = rest.partition("?")
    if mark and head.strip():
        return f"{head.strip()}?", _answer(tail)
    return (rest.strip(), "") if named else ("", "")


def _answer(text: str) -> str:
    return text.strip(_SEPARATORS).rstrip(".").strip()
