"""Prints a settings model as commented TOML, from the model's own fields, so that none is missed.

What is printed parses back to the defaults; a setting without one has an example in its place.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import PurePath
from typing import get_args

from pydantic.fields import FieldInfo

from shared.program.settings import Settings

WIDTH = 88


def commented_toml(model: type[Settings]) -> str:
    """Return every setting of ``model`` with its default below its description."""
    doc = (model.__doc__ or "").strip().splitlines()[0].replace("``", "`")
    return "\n".join([*_comment(doc), "", *_settings(model, ())]) + "\n"


def _settings(model: type[Settings], table: Sequence[str]) -> Iterator[str]:
    nested = {}
    for name, field in model.model_fields.items():
        default = _default(name, field)
        if isinstance(default, Settings):
            nested[name] = (type(default), field)
            continue
        yield from _comment(_explanation(field))
        if default is None:
            # TOML has no word for nothing.
            yield f"# {name} = {toml_value((field.examples or [''])[0])}"
        else:
            yield f"{name} = {toml_value(default)}"
    for name, (inner, field) in nested.items():
        path = (*table, name)
        yield ""
        yield from _comment(field.description or "")
        yield f"[{'.'.join(path)}]"
        yield from _settings(inner, path)


def _default(name: str, field: FieldInfo) -> object:
    if not field.is_required():
        return field.default
    assert field.examples, f"{name} has neither a default nor an example"
    return field.examples[0]


def _explanation(field: FieldInfo) -> str:
    parts = [field.description or "", *_choices(field.annotation)]
    if field.is_required():
        parts.append("required")
    return "; ".join(filter(None, parts))


def _choices(annotation: object) -> list[str]:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ["one of " + ", ".join(str(choice.value) for choice in annotation)]
    return [
        choices.replace("one of", "any of", 1)
        for inner in get_args(annotation)
        for choices in _choices(inner)
    ]


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")


def toml_value(value: object) -> str:
    """Return a plain value as TOML.

    Raises:
        TypeError: TOML has no such value.
    """
    if isinstance(value, Enum):
        return toml_value(value.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (str, PurePath)):
        # A TOML basic string escapes what JSON escapes, in the same way.
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    raise TypeError(f"{value!r} has no place in TOML")
