"""What a cell says: each type of value has its rule, or is refused with the cell shown.

Nothing is turned into text blindly: a list, a struct or bytes has a meaning that is known here, or
the row is refused.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

SHOWN_LENGTH: Final = 60
"""Characters of a cell that a message shows."""
LONGEST_LITERAL: Final = 1_000_000
"""Characters of a list or dict, written as text, that are parsed."""
LONGEST_FILE_NAME: Final = 1_000
"""Characters; what is longer is a picture written as text."""
TEXT_KEYS: Final = ("answer", "text", "value")
"""What a struct's text stands under: VQA v2 says `answer`, SQuAD `text`."""
NAME_KEYS: Final = ("path", "filename", "file_name", "name", "src")
"""What a picture's name stands under in a struct; the Hugging Face hub says `path`."""

NAME_THEM: Final = "save each picture as a file below --images and name it in a column `filename`"

_PICTURE: Final = re.compile(r"""\s*(data:image/\w+;base64,|<PIL\.\w+|\{['"]bytes['"]:|b['"]\\x)""")
_QUOTED: Final = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_NUMBER: Final = r"[-+]?\d+(?:\.\d*)?"
_SPACED_LIST: Final = re.compile(
    rf"\[\s*(?:{_QUOTED}|{_NUMBER})(?:\s+(?:{_QUOTED}|{_NUMBER}))+\s*\]"
)
_ITEM: Final = re.compile(rf"{_QUOTED}|{_NUMBER}")
_ARRAY: Final = re.compile(r"array\((\[.*?\])(?:,\s*dtype=[\w']+)?\)", re.DOTALL)
_STRUCTS_APART: Final = re.compile(r"\}\s+\{")
_LIST_OF_TEXTS: Final = re.compile(r"""\[\s*['"{].*\]""", re.DOTALL)


def shown(value: object) -> str:
    """Return a cell for a message: shortened, on one line, and never a picture's bytes."""
    text = f"{len(value)} bytes" if isinstance(value, bytes) else repr(value)
    return (
        text
        if len(text) <= SHOWN_LENGTH
        else f"{text[:SHOWN_LENGTH]}... ({len(text):,} characters)"
    )


def cell_text(value: object) -> str:
    """Return a cell as text without space around it; "" where there is nothing.

    A whole number has no point (1.0 is "1"), a truth value is "yes" or "no", a day without a time
    is an ISO date. A list of one item and a struct with one of ``TEXT_KEYS`` are what they hold.

    Raises:
        ValueError: the value has no text; the message shows it.
    """
    value = _unwrapped(value, TEXT_KEYS)
    match value:
        case None | str():
            return (value or "").strip()
        case bool():
            return "yes" if value else "no"
        case int() | float() | Decimal():
            return _number_text(value)
        case date() | time():
            return _moment_text(value)
        case bytes():
            return _decoded(value)
    raise ValueError(f"holds {shown(value)}, which is no text")


def file_name(value: object) -> str:
    """Return the picture's name that a cell holds: a text, a number, or a struct with its path.

    Raises:
        ValueError: the cell holds the picture itself, or something else; the message shows it.
    """
    return _name_in_text(value) if isinstance(value, str) else _name_in(value)


# An image has several rows.
@lru_cache(maxsize=2**14)
def _name_in_text(text: str) -> str:
    value: object = text
    if text.lstrip().startswith("{"):
        with suppress(ValueError):
            value = _literal(text.strip(), text)
    if isinstance(value, str) and _is_picture_text(value):
        raise ValueError(_no_name(value))
    return _name_in(value)


def _name_in(value: object) -> str:
    value = _unwrapped(value, NAME_KEYS)
    if isinstance(value, dict | bytes | list | tuple | bool):
        name = _decoded_or_empty(value)
        if name:
            return name
        raise ValueError(_no_name(value))
    return cell_text(value)


def reference_texts(value: object) -> tuple[str, ...]:
    """Return what several people said: the texts of a list, of VQA v2's objects, or one text.

    A list may be written as text, by JSON, Python, pandas or numpy.

    Raises:
        ValueError: the cell holds something else; the message shows it.
    """
    if isinstance(value, str):
        value = _list_in(value)
    if isinstance(value, dict):
        value = _unwrapped(value, TEXT_KEYS)
    items = value if isinstance(value, list | tuple) else [value]
    return tuple(filter(None, map(cell_text, items)))


def looks_listed(value: object) -> bool:
    """Return whether a cell holds several texts, or a text that is a list of texts."""
    if isinstance(value, str):
        return _LIST_OF_TEXTS.fullmatch(value.strip()) is not None
    return isinstance(value, list | tuple | dict)


def _list_in(text: str) -> object:
    """Return what a text holds that was written for a list; a plain text is itself.

    Raises:
        ValueError: it begins as a list and is none, or several texts are run together.
    """
    text = text.strip()
    if text.startswith(("[", "{", "('", '("', "array(")):
        return _literal(text, text)
    if ";" in text or "|" in text:
        raise ValueError(
            f"holds {shown(text)}; several references are a list such as "
            '["red", "maroon"], a single one belongs into a column `answer`'
        )
    return text or None


def _literal(text: str, original: object) -> Any:  # noqa: ANN401 (what was written)
    if len(text) > LONGEST_LITERAL:
        raise ValueError(f"holds {shown(original)}, too long for a list")
    text = _ARRAY.sub(r"\1", text)
    if _SPACED_LIST.fullmatch(text):
        # Python would run neighbouring texts together: numpy writes no commas.
        return [_evaluated(item) for item in _ITEM.findall(text)]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return _evaluated(_STRUCTS_APART.sub("}, {", text))
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        raise ValueError(
            f"holds {shown(original)}, which is no list; write it as JSON, such as "
            '["red", "maroon"]'
        ) from None


def _evaluated(text: str) -> Any:  # noqa: ANN401 (what was written)
    return ast.literal_eval(text)


def _unwrapped(value: object, keys: Sequence[str]) -> object:
    """Return what a list of one item, or a struct with one of ``keys``, holds."""
    while True:
        if isinstance(value, list | tuple) and len(value) < 2:  # noqa: PLR2004
            value = value[0] if value else None
        elif isinstance(value, dict) and (key := _first_key(value, keys)):
            value = value[key]
        else:
            return value


def _first_key(struct: dict[str, object], keys: Sequence[str]) -> str:
    return next((key for key in keys if struct.get(key) not in (None, "")), "")


def _number_text(value: float | Decimal) -> str:
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return str(value)
    # A column of whole numbers with a gap in it is one of floats: 2.0 was written for 2.
    if value == int(value):
        return str(int(value))
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def _moment_text(moment: date | time) -> str:
    if isinstance(moment, datetime) and moment.tzinfo is None and moment.time() == time():
        return moment.date().isoformat()
    return moment.isoformat()


def _decoded(value: bytes) -> str:
    """Return the text that a column of bytes holds, as old writers of Parquet leave it."""
    try:
        text = value.decode("utf-8").strip()
    except UnicodeDecodeError:
        text = "\0"
    if not text.replace("\n", " ").replace("\t", " ").isprintable():
        raise ValueError(f"holds {shown(value)}, no text")
    return text


def _decoded_or_empty(value: object) -> str:
    if not isinstance(value, bytes) or len(value) > LONGEST_FILE_NAME:
        return ""
    try:
        return _decoded(value)
    except ValueError:
        return ""


def _is_picture_text(text: str) -> bool:
    return len(text) > LONGEST_FILE_NAME or _PICTURE.match(text) is not None


def _no_name(value: object) -> str:
    what = "several pictures" if isinstance(value, list | tuple) else "pictures, not names"
    if isinstance(value, dict) and "bytes" not in value:
        what = "no names"
    return f"holds {what} (here {shown(value)}); {NAME_THEM}"
