"""What stands in a cell: the names of pictures, or a text for people; pure."""

from __future__ import annotations

import ast
import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from curator.catalog.pictures import is_web_address, looks_like_picture

_SEPARATORS: Final = ("\n", "|", ";", ",")
_NAMES_OF_FIELDS: Final = (
    *("url", "src", "link", "href", "path", "filename", "file", "hi_res", "large", "name", "id"),
)
LONGEST_TEXT: Final = 8_000
"""Characters of a cell that are looked at as text; a request takes far fewer."""
_OPENING: Final = ("[", "{")
_LONGEST_LITERAL: Final = 100_000
_DEEPEST: Final = 5
_MOST_MEASURES: Final = 6
"""Numbers with a fraction of which a list may say something, such as a size."""
_ADDRESS_BEHIND: Final = re.compile(r" \(https?://[^()\s]*\)")
_MARKUP: Final = re.compile(r"<(?:[a-zA-Z/!?])[^<>]*>")
_UNSEEN: Final = re.compile(r"<(script|style)\b[^<]*(?:<(?!/\1)[^<]*)*</\1\s*>", re.IGNORECASE)
_FIELD: Final = re.compile(r"(?:^|,)(\w+)=(.*?)(?=,\w+=|$)", re.DOTALL)
_ESCAPED_LINE_END: Final = re.compile(r"(?:\\r)?\\n(?![a-z])")
"""A line's end as WooCommerce writes it."""
_NAMES: Final = ("name", "key", "label", "attribute", "attribute_name", "trait_type")
_VALUES: Final = ("value", "attribute_value", "values", "options", "option")
_LONGEST_REMEMBERED: Final = 100
_MOST_REMEMBERED: Final = 1_000
_NOTHING: Final = frozenset({"nan", "none", "null", "nil", "n/a", "na", "-", "\\n"})
_LONGEST_NOTHING: Final = max(map(len, _NOTHING))


def picture_names(cell: str) -> Sequence[str]:
    """Return the names, paths or URLs of the pictures in a cell; several as any list.

    A list in JSON or Python, objects with a URL, or names between lines, ``|``, ``;`` or commas. A
    separator within a name is told by that its parts do not look like pictures.
    """
    text = cell.strip()
    if "(http" in text:
        # Airtable: mug.jpg (https://...).
        text = _ADDRESS_BEHIND.sub("", text)
    if not text or _is_nothing(text):
        return ()
    if text[0] in "[{(" and text[-1] in "]})":
        return list(dict.fromkeys(_names_in(_literal(text))))
    if parts := _parts(text):
        return list(dict.fromkeys(parts))
    return (text,)


def _parts(text: str) -> list[str]:
    """Return what a list without brackets holds; nothing where it is a single name."""
    for separator in _SEPARATORS:
        if separator in text:
            parts = [part.partition(" ! ")[0].strip(" \t\r\"'") for part in text.split(separator)]
            parts = [part for part in parts if part]
            if parts and all(looks_like_picture(part) for part in parts):
                return parts
            if parts and all(is_web_address(part) for part in parts):
                return parts
    words = text.split()
    return words if len(words) > 1 and all(is_web_address(word) for word in words) else []


def _literal(text: str) -> object:
    try:
        return orjson.loads(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text) if len(text) <= _LONGEST_LITERAL else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        bare = text.strip("[](){} ")
        return _parts(bare) or ([bare] if looks_like_picture(bare) else None)


def _names_in(value: object, depth: int = 0) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    match value:
        case str():
            if value.strip():
                yield value.strip()
        case list() | tuple() | set():
            for entry in value:
                yield from _names_in(entry, depth + 1)
        case dict():
            fields = {str(name).lower(): content for name, content in value.items()}
            names = (fields[name] for name in _NAMES_OF_FIELDS if fields.get(name))
            if (name := next(names, None)) is not None:
                yield from _names_in(name, depth + 1)
            else:
                yield from _names_below(value.values(), depth)


def _names_below(values: Iterable[object], depth: int) -> Iterator[str]:
    for value in values:
        if isinstance(value, list | dict):
            # GraphQL: {"edges": [{"node": {"url": ..}}]}.
            yield from _names_in(value, depth + 1)
        elif isinstance(value, str) and looks_like_picture(value):
            yield value


def plain_text(cell: str) -> str:
    """Return a cell as people read it: no markup, no list's brackets, single spaces."""
    if not cell:
        return ""
    text = cell[:LONGEST_TEXT]
    if "<" in text:
        text = _MARKUP.sub(" ", _UNSEEN.sub(" ", text))
    if "&" in text:
        text = html.unescape(text)
        if "<" in text:
            # Escaped once more, as in OpenCart's descriptions.
            text = _MARKUP.sub(" ", text)
    if "\\" in text:
        text = _ESCAPED_LINE_END.sub(" ", text)
    if text.isprintable() and "  " not in text:
        # No space but single ones, in half the time.
        text = text.strip()
    else:
        text = " ".join(text.replace("\0", " ").split())
    if text[:1] in _OPENING:
        text = _unpacked(text)
    return "" if len(text) <= _LONGEST_NOTHING and _is_nothing(text) else text


def said(cell: str) -> str:
    """Return what a cell says of a product: its ``plain_text``, but no address of the web."""
    text = plain_text(cell)
    return "" if "//" in text and is_web_address(text) else text


class Remembered(dict[str, str]):
    """What cells of one column say, where many say the same, such as a colour; by the cell."""

    def __missing__(self, cell: str) -> str:
        """Return what a cell says that is not remembered."""
        text = said(cell)
        if len(cell) <= _LONGEST_REMEMBERED:
            if len(self) >= _MOST_REMEMBERED:
                self.clear()
            self[cell] = text
        return text


def reader_of(first: Sequence[str]) -> Callable[[str], str]:
    """Return what tells what a column's cells say: ``said``, or quicker where the ``first`` repeat.

    As it is a method of a dictionary, most cells are told without running any Python.
    """
    repeats = 2 * len(set(first)) <= len(first)
    return Remembered().__getitem__ if repeats else said


def packed_fields(cell: str) -> dict[str, str]:
    """Return the fields of a cell such as ``color=Blue,material=Canvas``; commas may be values'."""
    return {name: plain_text(value) for name, value in _FIELD.findall(cell[:LONGEST_TEXT])}


def _is_nothing(text: str) -> bool:
    return len(text) <= _LONGEST_NOTHING and text.lower() in _NOTHING


def _unpacked(text: str) -> str:
    """Return what a list or object of texts says, in JSON or as Ruby writes it."""
    if '"=>' in text:
        text = text.replace('"=>', '":').replace(":nil", ":null")
    try:
        value: Any = orjson.loads(text)
    except ValueError:
        return text
    return "; ".join(_said(value, is_whole=True))


def _said(value: object, *, is_whole: bool = False, depth: int = 0) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        if len(value) > _MOST_MEASURES and all(isinstance(entry, float) for entry in value):
            # An embedding, say.
            return
        for entry in value:
            yield from _said(entry, depth=depth + 1)
    elif isinstance(value, dict):
        yield from _said_by_object(value, depth, is_whole=is_whole)
    elif _is_plain(value) and str(value):
        yield str(value)


def _said_by_object(fields: Mapping[str, object], depth: int, *, is_whole: bool) -> Iterator[str]:
    name = next((fields[key] for key in _NAMES if isinstance(fields.get(key), str)), None)
    worth = next((fields[key] for key in _VALUES if fields.get(key)), None)
    if name and worth is not None:
        yield f"{name}: {', '.join(_said(worth, depth=depth + 1))}"
    elif isinstance(fields.get("name"), str) and fields["name"]:
        # A category or a tag, with its number and its address.
        yield str(fields["name"])
    elif is_whole and len(fields) == 1 and isinstance(only := next(iter(fields.values())), list):
        yield from _said(only, depth=depth + 1)
    elif is_whole:
        for key, entry in fields.items():
            listed = entry if isinstance(entry, list) else [entry]
            if texts := [str(text) for text in listed if _is_plain(text) and str(text)]:
                yield f"{key}: {', '.join(texts)}"


def _is_plain(entry: object) -> bool:
    return isinstance(entry, str | int | float)
