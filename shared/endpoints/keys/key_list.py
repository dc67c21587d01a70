"""Reads lists of API keys as people keep them: lines, ``.env``, JSON, CSV and simple YAML; pure.

What comes out are tables with the fields of a ``[[key]]`` table. A line that is plainly no key is
refused by its number; no message ever shows what stands there.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Final

import orjson

from shared.endpoints.keys.key_form import (
    holds_googles,
    is_googles,
    looks_like_key,
    plain_secret,
    why_no_key,
    without_keys,
)
from shared.errors import InputError
from shared.value_class import value_class

KEY_FIELDS: Final = ("api_key", "apikey", "key", "api_token", "token", "secret", "keystring")
LABEL_FIELDS: Final = ("label", "name", "displayname", "display_name", "alias", "owner", "account")
PROJECT_FIELDS: Final = ("project", "project_id", "projectid", "project_name")
LIMIT_FIELDS: Final = ("rpm", "tpm", "rpd")
WAY_OUT: Final = "write one key a line, NAME=key lines, or [[key]] tables"

_ASSIGNED: Final = re.compile(
    r"(?:export\s+|setx?\s+|\$env:)?[\"']?(?P<name>[A-Za-z_][\w.-]*)[\"']?"
    r"\s*(?:=|:(?=\s|$|[\"']|AIza|AQ\.|sk-))\s*(?P<value>.*)"
)
_PADDING: Final = re.compile(r"[\w+/-]{16,}={1,2}", re.ASCII)
_SECTION: Final = re.compile(r"\[[\w .-]*\]|---|\.\.\.")
_QUOTES: Final = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"
_UNSEEN: Final = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060\u00ad"))
_EDGES: Final = f"{_QUOTES} \t\r\u00a0"
_COMMENT: Final = re.compile(r"^\s*(?:;|--(?!-)|REM\s).*|(?:#|(?:^|\s)//).*", re.IGNORECASE)
_RULE: Final = re.compile(r"[-|:=+\s]+")
"""A line that is drawn, as below the header of a table in Markdown."""
_WORDS: Final = re.compile(r"\D+")
_SWITCHES: Final = {"enabled": False, "active": False, "is_active": False, "disabled": True}
"""Fields that say whether a key is in use, and what they say of one that is not."""
_SAYS_KEY: Final = re.compile(r"key|token|secret", re.IGNORECASE)
LONGEST_LABEL: Final = 60


@value_class
class ListedKey:
    """A key as it stands in a list: from line ``line``, with the fields that stand beside it."""

    line: int
    secret: str = field(repr=False)
    label: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    is_assigned: bool = False
    """Whether ``label`` is the name of a variable, as in a ``.env`` file."""


def listed_keys(text: str, source: str, foreign: Sequence[str] = ()) -> list[ListedKey]:
    """Return the keys in ``text``, in order, with labels that differ where they have any.

    Variables whose names tell of one of the services ``foreign`` are left out beside others.

    Raises:
        InputError: a line is plainly no key; the message names ``source`` and the line.
    """
    plain = text.translate(_UNSEEN)
    keys = _of_json(plain, source) or _of_table(plain)
    keys = keys or _below_header(list(_of_lines(plain)), source)
    wanted = _wanted(sorted(keys, key=lambda key: key.line), foreign)
    if keys and not wanted:
        names = ", ".join(dict.fromkeys(without_keys(key.label) for key in keys))
        raise InputError(f"{source}: holds keys of other services alone ({names}); {WAY_OUT}")
    for key in wanted:
        if why := why_no_key(key.secret):
            raise InputError(f"{source}: line {key.line} is no API key ({why}); {WAY_OUT}")
    return list(_labelled_apart(wanted))


def _of_json(text: str, source: str) -> list[ListedKey]:
    if not text.lstrip().startswith(("[", "{")):
        return []
    try:
        value = orjson.loads(text)
    except ValueError:
        # JSON lines, or a list of some other language, whose lines tell.
        return list(_json_lines(text))
    if isinstance(value, dict) and "private_key" in value:
        raise InputError(
            f"{source}: is a service account's file; name it as credentials in a [[key]] table "
            "with enterprise = true, project and location"
        )
    if isinstance(value, dict) and {"installed", "web"} & value.keys():
        raise InputError(f"{source}: is an OAuth client's file; {WAY_OUT}, of API keys")
    keys = list(_json_keys(value, "", text))
    if not keys:
        raise InputError(f"{source}: no API key in its JSON; write a list of keys")
    return keys


def _json_lines(text: str) -> Iterator[ListedKey]:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    try:
        values = [(number, orjson.loads(line)) for number, line in lines]
    except ValueError:
        return
    for number, value in values:
        for key in _json_keys(value, "", ""):
            yield replace(key, line=number)


def _json_keys(value: object, name: str, text: str) -> Iterator[ListedKey]:
    match value:
        case str():
            yield _named_key(name, value, _line_of(value, text))
        case list():
            for entry in value:
                yield from _json_keys(entry, name, text)
        case dict():
            fields = {_plain(key): content for key, content in value.items()}
            if _is_off(fields):
                return
            if key := _key_of(fields):
                line = _line_of(key, text)
                yield _key_with_fields(key, fields | {"name": fields.get("name") or name}, line)
                return
            for key, content in value.items():
                yield from _json_keys(content, key, text)
        case None:
            return
        case _:
            # A number, say: no key, and refused as such.
            yield _named_key(name, f"<{value}>", _line_of(str(value), text))


def _named_key(name: str, value: str, line: int) -> ListedKey:
    if looks_like_key(name) and not looks_like_key(value):
        name, value = value, name
    return ListedKey(line, value.strip(_EDGES), name, is_assigned=bool(name))


def _line_of(value: str, text: str) -> int:
    return text.count("\n", 0, max(0, text.find(value))) + 1


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip(_EDGES).lower())


def _first(fields: Mapping[str, Any], names: Iterable[str]) -> str:
    texts = (str(fields.get(name) or "").strip(_EDGES) for name in names)
    return next(filter(None, texts), "")


def _key_of(fields: Mapping[str, Any]) -> str:
    values = (fields[name] for name in KEY_FIELDS if isinstance(fields.get(name), str))
    return next((value.strip(_EDGES) for value in values if value.strip(_EDGES)), "")


def _is_off(fields: Mapping[str, Any]) -> bool:
    """Return whether the fields beside a key say that it is not in use."""
    words = {True: {"true", "1", "yes", "on"}, False: {"false", "0", "no", "off"}}
    return any(
        str(fields.get(name, "")).strip().lower() in words[off] for name, off in _SWITCHES.items()
    )


def _key_with_fields(secret: str, fields: Mapping[str, Any], line: int) -> ListedKey:
    more = {name: _first(fields, [name]) for name in LIMIT_FIELDS}
    more["project"] = _first(fields, PROJECT_FIELDS)
    told = {name: value for name, value in more.items() if value}
    return ListedKey(line, secret, _first(fields, LABEL_FIELDS), told)


def _of_table(text: str) -> list[ListedKey]:
    """Return the keys of a CSV whose header names a column of keys; none of any other text."""
    head = next((line for line in text.splitlines() if line.strip()), "")
    for delimiter in ",;\t":
        columns = [_plain(cell) for cell in head.split(delimiter)]
        if any(name in columns for name in KEY_FIELDS):
            reader = csv.reader(text.splitlines(), delimiter=delimiter, skipinitialspace=True)
            return list(_rows_of_table(reader, columns))
    return []


def _rows_of_table(reader: Any, columns: Sequence[str]) -> Iterator[ListedKey]:  # noqa: ANN401
    is_head = True
    for row in reader:
        if not any(cell.strip() for cell in row) or row[0].lstrip().startswith("#"):
            continue
        if not is_head:
            fields = dict(zip(columns, row, strict=False))
            if not _is_off(fields):
                yield _key_with_fields(_key_of(fields), fields, reader.line_num)
        is_head = False


def _of_lines(text: str) -> Iterator[ListedKey]:
    block: list[_Assigned] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        if _SECTION.fullmatch(raw.strip()) or raw.lstrip().startswith("-"):
            yield from _of_block(block)
            block = []
        line = _bare(raw)
        assigned = None if _PADDING.fullmatch(line) else _ASSIGNED.fullmatch(line)
        if assigned is not None:
            value = assigned["value"].strip(_EDGES)
            block.append(_Assigned(number, assigned["name"], value))
        elif line:
            yield from _cells_of(line, number)
    yield from _of_block(block)


def _below_header(keys: Sequence[ListedKey], source: str) -> list[ListedKey]:
    """Return keys without what stands in a first line of words, above lines with keys.

    Raises:
        InputError: a line of several cells holds no key, where others do.
    """
    bare = [key for key in keys if not key.is_assigned]
    with_key = {key.line for key in bare if looks_like_key(key.secret)}
    counts = Counter(key.line for key in bare)
    first = min(counts, default=0)
    words = [key.secret for key in bare if key.line == first]
    has_header = bool(with_key) and first not in with_key and all(map(_WORDS.fullmatch, words))
    left = [key for key in keys if key.is_assigned or not has_header or key.line != first]
    for key in left:
        if with_key and not key.is_assigned and counts[key.line] > 1 and key.line not in with_key:
            raise InputError(f"{source}: line {key.line} holds no API key; {WAY_OUT}")
    return left


@value_class
class _Assigned:
    """A line such as ``NAME=value`` or ``name: value``."""

    line: int
    name: str
    value: str = field(repr=False)


def _bare(raw: str) -> str:
    """Return a line without its comment, a list's dash and the brackets around it."""
    text = _COMMENT.sub("", raw).strip().removesuffix("\\")
    if _SECTION.fullmatch(text) or _RULE.fullmatch(text):
        return ""
    if text.startswith("-"):
        text = text.removeprefix("-").strip()
    return text.strip("[]{}(),; \t\ufeff\u00a0")


def _of_block(block: Sequence[_Assigned]) -> Iterator[ListedKey]:
    """Return the keys of lines that belong together: one with what is told about it, or each."""
    fields = {_plain(line.name): line.value for line in block}
    about = {*LABEL_FIELDS, *PROJECT_FIELDS, *LIMIT_FIELDS} & fields.keys()
    keys = [line for line in block if line.value and _plain(line.name) not in about]
    for key in keys:
        if len(keys) == 1 and about:
            yield _key_with_fields(key.value, fields, key.line)
            continue
        for part in key.value.strip("[](){}").split(","):
            if secret := part.strip(_EDGES):
                yield _named_key(key.name, secret, key.line)


def _cells_of(line: str, number: int) -> Iterator[ListedKey]:
    """Return the keys of a line without a name: all its cells, or those that look like keys."""
    cells = [cell.strip(_EDGES) for cell in re.split(r"[,;\t|]", line)]
    words = [word.strip(_EDGES) for word in line.split()]
    is_labelled = len(words) == 2 and looks_like_key(words[1])  # noqa: PLR2004
    if len(cells) == 1 and (is_labelled or all(map(looks_like_key, words))):
        cells = words
    cells = [cell for cell in cells if cell]
    usual = [cell for cell in cells if looks_like_key(cell)]
    others = [cell for cell in cells if not looks_like_key(cell)]
    if any(map(holds_googles, others)):
        # A line of a program: refused rather than read in part.
        usual = []
    label = others[0] if usual and others else ""
    for cell in usual if label else cells:
        yield ListedKey(number, cell, label)


def _wanted(keys: Sequence[ListedKey], foreign: Sequence[str]) -> list[ListedKey]:
    """Leave out what a ``.env`` file holds besides: other settings, and other services' keys."""
    variables = [key for key in keys if key.is_assigned]
    named = [key for key in variables if _SAYS_KEY.search(key.label) or looks_like_key(key.secret)]
    ours = [key for key in named if not _tells_of(key.label, foreign)]
    if "OPENAI" in foreign:
        # Google's look like no others: beside one, another's secret must not go to Google.
        lines = {key.line for key in ours if _is_of_google(key)}
        ours = [key for key in ours if key.line in lines or not lines]
    else:
        # Many services speak OpenAI's protocol, Google's too.
        ours = ours or list(filter(_is_of_google, named)) or named
    are_bare = len(variables) < len(keys)
    chosen = {id(key) for key in (ours if named or are_bare else variables)}
    return [key for key in keys if not key.is_assigned or id(key) in chosen]


def _tells_of(label: str, services: Iterable[str]) -> bool:
    return any(name in f"^{label.upper()}$" for name in services)


def _is_of_google(key: ListedKey) -> bool:
    is_named = _tells_of(key.label, ("GEMINI", "GOOGLE"))
    return is_named or is_googles(key.secret)


def _labelled_apart(keys: Iterable[ListedKey]) -> Iterator[ListedKey]:
    counts: Counter[str] = Counter()
    for key in keys:
        label = without_keys(" ".join(key.label.split()).rstrip(": "))[:LONGEST_LABEL]
        label = label if re.search(r"[^\W\d]", label) else ""
        counts[label] += 1
        if label and counts[label] > 1:
            label = f"{label}-{counts[label]}"
        yield ListedKey(key.line, plain_secret(key.secret), label, key.fields)
