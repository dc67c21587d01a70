"""Reads a TOML file into a frozen pydantic model, once, with errors that name the way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from shared.errors import InputError
from shared.program.command_line.nearest import nearest
from shared.program.toml_files import parsed_value, read_toml


class Settings(BaseModel):
    """A table of settings: frozen, with no room for keys that nobody reads, all numbers finite."""

    # Many are parts of others, and some are never read: each is built for its first table.
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=False, allow_inf_nan=False, defer_build=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _not_misread(cls, value: object, info: ValidationInfo) -> object:
        """Keep ``true`` from being read as 1, an empty path as a folder, and a URL as a path."""
        field = cls.model_fields[str(info.field_name)].annotation
        wanted = {field, *get_args(field)}
        if isinstance(value, bool) and bool not in wanted:
            raise ValueError(f"something else was expected than {str(value).lower()}")
        if value == "" and Path in wanted:
            raise ValueError('is empty; a path was expected, such as "images"')
        if isinstance(value, str) and "://" in value and Path in wanted and str not in wanted:
            raise ValueError(f"{value!r} is a URL; a path was expected, on this machine or mounted")
        return value


Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""What numpy and torch take alike."""

_EXPECTED: Final[Mapping[str, str]] = {
    "tuple_type": "a list was expected, such as [1, 2]",
    "list_type": "a list was expected, such as [1, 2]",
    "model_type": "a table of settings was expected",
    "dict_type": "a table was expected, such as { high = 3 }",
    "string_type": 'a text in quotes was expected, such as "chairs"',
    "int_type": "an integer was expected, such as 3",
    "int_parsing": "an integer was expected, such as 3",
    "int_from_float": "an integer was expected, such as 3",
    "float_type": "a number was expected, such as 0.5",
    "float_parsing": "a number was expected, such as 0.5",
    "bool_type": "true or false was expected",
    "bool_parsing": "true or false was expected",
    "missing": "has to be given",
    "string_too_short": "may not be empty",
    "too_short": "may not be empty",
    "path_type": 'a path in quotes was expected, such as "images"',
}
"""In TOML's words, where pydantic's own speak of Python."""
_OURS: Final = "value_error"
"""A validator of ours said what it expects, and what was given."""
_NOT_A_SETTING: Final = frozenset({"missing", _OURS, "model_type"})

AnySettings = TypeVar("AnySettings", bound=Settings)


def load_settings(
    model: type[AnySettings], path: Path, overrides: Sequence[str] = ()
) -> AnySettings:
    """Read ``path``, apply ``KEY=VALUE`` overrides (dots reach into tables), and validate.

    Raises:
        InputError: unreadable file, unknown key (the nearest known one is named) or bad value.
    """
    return validated(model, read_tables(path, overrides), source=str(path))


def read_tables(path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read ``path`` and apply ``KEY=VALUE`` overrides, without looking at what they mean.

    Raises:
        InputError: an unreadable file, or an override that is none.
    """
    tables = read_toml(path)
    for override in overrides:
        _apply_override(tables, override)
    return tables


def validated(model: type[AnySettings], tables: Mapping[str, Any], *, source: str) -> AnySettings:
    """Build ``model`` from ``tables``; ``source`` names where they came from in errors.

    Raises:
        InputError: a key is unknown or a value does not fit.
    """
    try:
        return model.model_validate(dict(tables))
    except ValidationError as error:
        raise InputError(f"{source}: {_explain(model, tables, error.errors())}") from error


def _explain(
    model: type[BaseModel], tables: Mapping[str, Any], problems: Sequence[Mapping[str, Any]]
) -> str:
    """Return one sentence about the first setting that does not fit, whatever it may be."""
    location = _place(problems[0], tables)
    name = ".".join(location)
    if problems[0]["type"] != "extra_forbidden":
        of_it = [problem for problem in problems if _place(problem, tables) == location]
        expected = list(dict.fromkeys(map(_expectation, of_it)))
        given = "" if problems[0]["type"] in _NOT_A_SETTING else _given(problems[0])
        what = "" if not name and problems[0]["type"] == _OURS else f"{name or 'the file'}: "
        return f"{what}{', or '.join(expected)}{given}"
    keys = list(_table_at(model, location[:-1]).model_fields)
    near = nearest(location[-1], keys)
    hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(keys)}"
    return f"unknown key {name!r}; {hint}"


def _place(problem: Mapping[str, Any], tables: Mapping[str, Any]) -> list[str]:
    """Return the name of a setting in parts, without what pydantic adds for each way to read it."""
    place: list[str] = []
    value: Any = tables
    for part in problem["loc"]:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part] if part < len(value) else None
        else:
            break
        place.append(str(part))
    return place


def _expectation(problem: Mapping[str, Any]) -> str:
    if problem["type"] == _OURS:
        return str(problem["ctx"]["error"])
    message = str(problem["msg"])
    return _EXPECTED.get(problem["type"], message.replace("Input should be ", "must be "))


def _given(problem: Mapping[str, Any]) -> str:
    return f"; {problem['input']!r} was given"


def _table_at(model: type[BaseModel], path: Sequence[str]) -> type[BaseModel]:
    for name in path:
        field = model.model_fields.get(name)
        if field is None:
            break
        annotation = field.annotation
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        nested = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        if nested:
            model = nested[0]
    return model


def _apply_override(tables: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    if not equals or not name.strip():
        raise InputError(f"--set {override!r}: expected KEY=VALUE, such as --set epochs=5")
    *parents, leaf = name.strip().split(".")
    table = tables
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise InputError(f"--set {override!r}: {parent!r} is not a table")
    table[leaf] = parsed_value(text)
