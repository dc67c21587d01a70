"""Writes known pairs down as a model does: JSON by the schema, fenced, a list, nonsense. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from curator.prompts.languages.language import known_languages
from curator.prompts.languages.words import words_of
from curator.prompts.reply_fields import PICTURE, STYLE
from curator.rehearsal.inbound import Inquiry
from shared.records import QAPair

NONSENSE: Final = (
    "As the evening light settles over the harbour, seventeen umbrellas agree on nothing. "
    "{[ colour of: } the, the"
)
UNKNOWN: Final = "unknown"
"""The answer to a question that no known pair asks."""
_ID: Final = "image_id"
_PAIRS: Final = "pairs"
_NOTHING_TO_ASK: Final = "I cannot write questions about this image."


def reply_text(inquiry: Inquiry, pairs: Sequence[QAPair]) -> str:
    """Return the reply in the form that was asked for: JSON by the schema, or a numbered list.

    At most as many pairs as the prompt asks for are written; none gives an empty list. An id that
    the text gives the image is named, as models do that are asked for it.
    """
    chosen = pairs[: inquiry.questions]
    if inquiry.schema is not None:
        content = _by_schema(inquiry.schema, chosen, inquiry.image_id)
        return json.dumps(content, ensure_ascii=False)
    if inquiry.mime_type == "application/json":
        return json.dumps(_plain(inquiry, chosen), ensure_ascii=False)
    return numbered_text(inquiry, pairs)


def fenced_text(inquiry: Inquiry, pairs: Sequence[QAPair]) -> str:
    """Return JSON in a Markdown fence with a sentence before it, whatever was asked for."""
    listed = json.dumps(_plain(inquiry, pairs[: inquiry.questions]), ensure_ascii=False, indent=2)
    return f"Here are the questions you asked for:\n\n```json\n{listed}\n```\n"


def answer_text(inquiry: Inquiry, answer: str) -> str:
    """Return the answer to a single question in the form that was asked for."""
    schema = inquiry.schema
    if schema is not None:
        names = _table(schema.get("properties"))
        told = {name: inquiry.image_id if _is_id(name) else answer for name in names}
        return json.dumps(told or answer, ensure_ascii=False)
    named = {_ID: inquiry.image_id} if inquiry.image_id else {}
    if named or inquiry.mime_type == "application/json":
        return json.dumps(named | {"answer": answer}, ensure_ascii=False)
    return answer


def trailing_comma_text(inquiry: Inquiry, pairs: Sequence[QAPair]) -> str:
    """Return JSON with a comma too many in each object and at the end of the list."""
    items = [_plain_item(pair) for pair in pairs[: inquiry.questions]]
    listed = "[" + "".join(f"{json.dumps(item)[:-1]},}}, " for item in items) + "]"
    if not inquiry.image_id:
        return listed
    return f'{{"{_ID}": {json.dumps(inquiry.image_id)}, "{_PAIRS}": {listed},}}'


def numbered_text(inquiry: Inquiry, pairs: Sequence[QAPair]) -> str:
    """Return a numbered list with a question and its answer on two lines each."""
    lines = [f"{_ID}: {inquiry.image_id}"] if inquiry.image_id else []
    lines += [
        f"{number}. Question: {pair.question}\n   Answer: {pair.answer}"
        for number, pair in enumerate(pairs[: inquiry.questions], start=1)
    ]
    return "\n".join(lines) or _NOTHING_TO_ASK


def _plain(inquiry: Inquiry, pairs: Sequence[QAPair]) -> object:
    items = [_plain_item(pair) for pair in pairs]
    return {_ID: inquiry.image_id, _PAIRS: items} if inquiry.image_id else items


def _plain_item(pair: QAPair) -> dict[str, Any]:
    item: dict[str, Any] = {"question": pair.question, "answer": pair.answer}
    item |= {name: value for name, value in pair.extra if name == PICTURE}
    return item | {"difficulty": pair.difficulty} if pair.difficulty else item


def _by_schema(schema: Mapping[str, Any], pairs: Sequence[QAPair], image_id: str) -> object:
    kind = str(schema.get("type", "")).upper()
    properties = schema.get("properties")
    if kind == "ARRAY":
        chosen = pairs[: _limit(schema.get("maxItems", schema.get("max_items")))]
        items = _table(schema.get("items"))
        return [_item(items, pair, place / len(chosen)) for place, pair in enumerate(chosen)]
    if isinstance(properties, dict):
        return {
            name: image_id if _is_id(name) else _by_schema(_table(inner), pairs, image_id)
            for name, inner in properties.items()
        }
    return _blank(kind)


def _item(schema: Mapping[str, Any], pair: QAPair, place: float) -> object:
    """Fill one object; ``place`` in [0, 1) says how far down the list, for levels of difficulty."""
    texts = {"question": pair.question, "q": pair.question, "answer": pair.answer, "a": pair.answer}
    known = dict(pair.extra)
    values: dict[str, object] = {}
    for name, inner in _table(schema.get("properties")).items():
        allowed = _table(inner).get("enum")
        if name.lower() in texts:
            values[name] = texts[name.lower()]
        elif name in known:
            values[name] = known[name]
        elif name == STYLE and isinstance(allowed, list) and (style := _style(pair, allowed)):
            values[name] = style
        elif isinstance(allowed, list) and allowed:
            by_place = allowed[int(place * len(allowed))]
            values[name] = pair.difficulty if pair.difficulty in allowed else by_place
        else:
            values[name] = _blank(str(_table(inner).get("type", "")).upper())
    return values or _plain_item(pair)


def _style(pair: QAPair, allowed: Sequence[str]) -> str:
    """Return which of the styles an answer is of, where its form tells; else empty."""
    for language in known_languages().values():
        told = {
            "yes_no": language.truth(pair.answer) is not None,
            "count": bool(language.number(pair.answer)),
            "unanswerable": language.refuses(words_of(pair.answer)),
        }
        if style := next((name for name in told if told[name] and name in allowed), ""):
            return style
    formless = [name for name in allowed if name not in {"yes_no", "count", "unanswerable"}]
    named = (name for name in formless if name in pair.question.lower())
    return next(named, formless[0] if formless else "")


def _is_id(name: str) -> bool:
    return name.lower().replace("_", "") == "imageid"


def _blank(kind: str) -> object:
    blanks = {"INTEGER": 0, "NUMBER": 0.0, "BOOLEAN": False, "ARRAY": [], "OBJECT": {}}
    return blanks.get(kind, "")


def _limit(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
