"""What a pair says besides its question and answer, as its prompt wants it typed; pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

from curator.prompts.prompt_file import FieldType, ReplyField
from curator.prompts.reply_fields import PICTURE

MISSING: Final = None
"""Stands for a field that a reply lacks, or that holds something else than it should."""
LONGEST_TEXT: Final = 1_000
"""Characters; what is longer is cut."""
_LARGEST: Final = 2**53
_PICTURE: Final = re.compile(r"^\s*picture\s*(\d{1,3})\s*$", re.IGNORECASE)
_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})

FieldValue = str | int | float | bool | None


def picture_named(others: Mapping[str, object]) -> int:
    """Return the number of the picture that a pair names; 0 where it names none."""
    value = others.get(PICTURE)
    if isinstance(value, str) and (named := _PICTURE.match(value)):
        value = named[1]
    number = _number(value)
    return int(number) if number is not None and number == int(number) else 0


def typed_fields(
    fields: Mapping[str, ReplyField], others: Mapping[str, object]
) -> dict[str, FieldValue]:
    """Return the value of each of ``fields`` in a reply's other values."""
    return {name: typed(field, others.get(name)) for name, field in fields.items()}


def typed(field: ReplyField, value: object) -> FieldValue:
    """Return a value as its field wants it; a text that says the same will do."""
    match field.type:
        case FieldType.BOOLEAN:
            word = str(value).strip().lower()
            return True if word in _TRUE else False if word in _FALSE else MISSING
        case FieldType.INTEGER:
            number = _number(value)
            is_whole = number is not None and number == int(number)
            return int(number) if number is not None and is_whole else MISSING
        case FieldType.NUMBER:
            return _number(value)
        case FieldType.CHOICE:
            word = str(value).strip().lower()
            return next((one for one in field.choices if one.lower() == word), MISSING)
        case _:
            return _text(value)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) < _LARGEST else None


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str | int | float):
        return MISSING
    return " ".join(str(value).split())[:LONGEST_TEXT] or MISSING
