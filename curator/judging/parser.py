"""Reply text to question/answer drafts: pure, and total on any text.

Structured output comes first: a JSON array of objects, also inside a fence, wrapped in an object,
followed by prose, with small mistakes, or cut off in the middle (complete objects are kept). Else
plain lists are read, numbered or not, with the answer on the question's line or on the next one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from curator.judging.drafts import ANSWER_NAMES, ANSWERS, ASKS, QUESTION_NAMES, Draft, plain_text
from curator.judging.facts import Form
from curator.judging.list_replies import bare_answer, list_drafts
from curator.prompts.reply_fields import DIFFICULTIES, DIFFICULTY
from shared.endpoints.refusals.foreign_json import loads
from shared.value_class import value_class

LONGEST_REPLY: Final = 200_000
"""Characters; what comes after is not read."""
JSON_STARTS: Final = 500
"""How many opening brackets are tried before the text is taken for prose."""
LONGEST_ANSWER: Final = 200
"""Characters; what is longer answers no question."""
EXACT: Final = 2.0**63
"""Numbers from here on have lost digits on the way."""
_ASKED_FOR: Final = {"question", "answer", DIFFICULTY}
_NO_OTHERS: Final[Mapping[str, object]] = MappingProxyType({})

_CORE: Final = frozenset({*QUESTION_NAMES, *ANSWER_NAMES, DIFFICULTY})
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*("?)|[\[\]{}]', re.DOTALL)
_JSON_FOLLOWS = frozenset('"{[ \n\r\t')
_QUOTE = "[\"'\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}]"
_JSON_NAME = re.compile(rf"{_QUOTE}(?:{ASKS}){_QUOTE}\s*:", re.IGNORECASE)
_ANSWER_NAME = re.compile(rf"{_QUOTE}(?:{ANSWERS}){_QUOTE}\s*:", re.IGNORECASE)
_LOOSE_PAIR = re.compile(
    rf"{_QUOTE}(?:{ASKS}){_QUOTE}\s{{0,9}}:\s{{0,9}}{_QUOTE}(?P<question>[^\n]{{1,300}}?){_QUOTE}"
    rf"\s{{0,9}},?\s{{0,9}}{_QUOTE}(?:{ANSWERS}){_QUOTE}\s{{0,9}}:\s{{0,9}}{_QUOTE}"
    rf"(?P<answer>[^\n]{{1,100}}?){_QUOTE}\s{{0,9}}[,}}]",
    re.IGNORECASE,
)


@value_class
class Parsed:
    """The drafts of a reply, one at least, in its order."""

    drafts: tuple[Draft, ...]
    form: Form


@value_class
class Unparsable:
    """A reply without one question and answer; ``detail`` says what it looked like."""

    detail: str
    form: Form = Form.UNPARSABLE


def parse_reply(text: str) -> Parsed | Unparsable:
    """Return the drafts in ``text`` and its form, or why there are none. Never raises."""
    text = text[:LONGEST_REPLY]
    if not text.strip():
        return Unparsable("empty reply", Form.EMPTY)
    if parsed := _json_reply(text):
        return parsed
    if drafts := tuple(list_drafts(text)):
        return Parsed(drafts, Form.LIST)
    return Unparsable("no question with an answer in the reply")


@value_class
class ParsedAnswer:
    """The one answer of a reply to a single question."""

    answer: str
    form: Form


def parse_answer(text: str) -> ParsedAnswer | Unparsable:
    """Return the answer in the reply to a single question, or why there is none. Never raises."""
    text = text[:LONGEST_REPLY]
    if not text.strip():
        return Unparsable("empty reply", Form.EMPTY)
    try:
        value, form = loads(text), Form.JSON
    except (ValueError, RecursionError):
        value, form = _inner_object(text), Form.FENCED
    if isinstance(value, dict):
        fields = {name.strip().lower(): field for name, field in value.items()}
        answer = _text(_first(fields, ANSWER_NAMES))
        return ParsedAnswer(answer, form) if answer else Unparsable("no answer in the reply")
    if _ANSWER_NAME.search(text):
        cut = _is_cut_off(text)
        return Unparsable("JSON that cannot be read", Form.CUT_OFF if cut else Form.UNPARSABLE)
    # Models that know no JSON give the bare word, or "Answer: word".
    answer = bare_answer(text)
    if not answer or len(answer) > LONGEST_ANSWER:
        return Unparsable("no answer in the reply")
    return ParsedAnswer(answer, Form.LIST)


def _inner_object(text: str) -> object:
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, max(0, text.find("{")))[0]
    except (ValueError, RecursionError):
        return None


def _json_reply(text: str) -> Parsed | Unparsable | None:
    """Return what JSON there is in ``text``; ``None`` where it is something else."""
    try:
        drafts = tuple(_drafts_in(loads(text)))
    except (ValueError, RecursionError):
        return _scanned_reply(text)
    return Parsed(drafts, Form.JSON) if drafts else None


def _scanned_reply(text: str) -> Parsed | Unparsable | None:
    """Look for JSON inside of ``text``; what is broken is mended where that saves a draft."""
    drafts, is_faultless = _scan(text)
    if is_faultless:
        return Parsed(drafts, Form.FENCED)
    mended, _ = _scan(_TRAILING_COMMA.sub(r"\1", text))
    drafts = max(drafts, mended, key=len) or tuple(_loose_drafts(text))
    if drafts:
        return Parsed(drafts, Form.CUT_OFF if _is_cut_off(text) else Form.REPAIRED)
    if not _JSON_NAME.search(text):
        return None
    # A list it is not: read as one, its quotes and braces would become answers.
    if _is_cut_off(text):
        return Unparsable("cut off before one pair was complete", Form.CUT_OFF)
    return Unparsable("JSON that cannot be read")


def _scan(text: str) -> tuple[tuple[Draft, ...], bool]:
    """Return the drafts in all JSON values of ``text``, and whether it is one faultless value."""
    # Line breaks inside of strings are a mistake that costs nothing to forgive.
    decoder = json.JSONDecoder(strict=False)
    drafts: list[Draft] = []
    values = faults = 0
    position = _next_bracket(text, 0)
    for _ in range(JSON_STARTS):
        if position < 0:
            break
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            # Cut off, or not JSON from here: the objects inside may still be whole.
            end = position + 1
            # A bracket in the prose before or after is no fault.
            faults += text[end : end + 1] in _JSON_FOLLOWS
        else:
            drafts_in_value = list(_drafts_in(value))
            drafts += drafts_in_value
            values += bool(drafts_in_value)
            faults += bool(drafts_in_value) and not _is_strict(text[position:end])
        position = _next_bracket(text, end)
    return tuple(drafts), values == 1 and not faults


def _is_strict(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _loose_drafts(text: str) -> Iterator[Draft]:
    """Yield what stands like a question and an answer, in whatever kind of quotes."""
    for match in _LOOSE_PAIR.finditer(text):
        fields: dict[str, object] = {
            name: _unescaped(text) for name, text in match.groupdict().items()
        }
        if draft := _draft(fields):
            yield draft


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text


def _next_bracket(text: str, start: int) -> int:
    places = (text.find("[", start), text.find("{", start))
    return min((place for place in places if place >= 0), default=-1)


def _is_cut_off(text: str) -> bool:
    """Return whether ``text`` ends inside of a JSON string, array or object."""
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        word = token[0]
        if word in "[{":
            depth += 1
        elif word in "]}":
            depth = max(0, depth - 1)
        elif not token[1]:
            return depth > 0
    return depth > 0


def _drafts_in(value: object) -> Iterator[Draft]:
    # Without recursion: what the decoder could nest, this must be able to unfold.
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, list):
            waiting.extend(reversed(inner))
        elif isinstance(inner, dict):
            draft = _draft(inner)
            if draft is not None:
                yield draft
            else:
                waiting.extend(reversed(inner.values()))


def _draft(value: dict[str, object]) -> Draft | None:
    fields: Mapping[str, object] = value
    others: Mapping[str, object] = _NO_OTHERS
    if _ASKED_FOR.issuperset(value):
        asked, answered = value.get("question"), value.get("answer")
    else:
        fields = {name.strip().lower(): field for name, field in value.items()}
        others = {name: field for name, field in fields.items() if name not in _CORE}
        asked, answered = _first(fields, QUESTION_NAMES), _first(fields, ANSWER_NAMES)
    question, answer = _text(asked), _text(answered)
    if not question or not answer:
        return None
    return Draft(question, answer, _difficulty(fields.get(DIFFICULTY)), others=others)


def _difficulty(value: object) -> str:
    if isinstance(value, str) and value in DIFFICULTIES:
        return value
    difficulty = _text(value).lower()
    return difficulty if difficulty in DIFFICULTIES else ""


def _first(fields: Mapping[str, object], names: Sequence[str]) -> object:
    """Return the first field that is there by one of its names."""
    for name in names:
        if name in fields:
            return fields[name]
    return None


def _text(value: object) -> str:
    if isinstance(value, str):
        # Nearly all that is read comes by here.
        return value.strip() if value.isprintable() and "  " not in value else plain_text(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and abs(value) >= EXACT:
        return ""
    return plain_text(str(value)) if isinstance(value, (int, float)) else ""
