"""The campaign file: the options of ``curator run`` in one place that can be repeated.

Its keys are the options themselves, without dashes before and with underscores within, so that none
is missing; what is typed comes before what the file says. Paths are below the file's folder.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from pydantic import Field, create_model

from shared.errors import InputError
from shared.images.stores import is_url
from shared.program.settings import Settings, validated
from shared.program.toml_files import read_toml
from shared.value_class import value_class

CONTEXT: Final = "context"
FIRST: Final = "file"
"""The parameter of a command that takes the file."""
_ONCE: Final[Mapping[str, str]] = {
    "retry_dead": "is for one run",
    "retry_keys": "is for one run",
    "yes": "is for one run",
    "dry_run": "is for one run",
    "status_token": "is a secret; set the variable CURATOR_STATUS_TOKEN",
}
"""Options that have no place in the file, and why."""
_PLACES: Final = frozenset({"catalog", "images"})
"""Options that take a path or an address."""


class PromptTable(Settings):
    """A prompt file, and its share of the images."""

    file: Path
    share: float | None = Field(None, gt=0, le=1)


@value_class
class _Key:
    """A key of the file: its parameter, its type, its name in the first release, its bounds."""

    parameter: str
    annotation: Any
    once: str | None
    least: float | None
    most: float | None


def read_campaign_file(path: Path) -> dict[str, Any]:
    """Return what a campaign file says, by the parameters of ``curator run``, as one would type it.

    Raises:
        InputError: it cannot be read, or something in it is no option or does not fit.
    """
    tables = read_toml(path)
    for name, why in _ONCE.items():
        if name in tables:
            raise InputError(f"{path}: {name} {why}; give it on the command line")
    # By its name, for it has the file among its own options.
    keys = _keys_of(import_module("curator.commands.campaign.run").run)
    said = validated(_model_of(keys), _as_now(tables, keys, path), source=str(path))
    values = {name: getattr(said, name) for name in said.model_fields_set}
    for name in _PLACES & values.keys():
        # A path or an address.
        values[name] = values[name] if is_url(values[name]) else Path(values[name])
    typed = {name: _typed(value, path.parent) for name, value in values.items()}
    return {keys[name].parameter: _several(keys[name], value) for name, value in typed.items()}


def _several(key: _Key, value: Any) -> Any:  # noqa: ANN401 - whatever an option takes
    """Return a list where the option may be repeated."""
    return [value] if key.annotation == list[str] | None and not isinstance(value, list) else value


def _keys_of(command: Callable[..., Any]) -> dict[str, _Key]:
    hints = typing.get_type_hints(command, include_extras=True)
    keys = {}
    for parameter in inspect.signature(command).parameters:
        if parameter in {CONTEXT, FIRST}:
            continue
        annotation, option = typing.get_args(hints[parameter])[:2]
        # Within Annotated, typer takes the first name for a default until it looks closer.
        texts = [text for text in (option.default, *option.param_decls) if isinstance(text, str)]
        spelt = [_key(text) for text in texts if text.startswith("--")] or [parameter]
        if spelt[0] not in _ONCE:
            once = next(iter(spelt[1:]), None)
            keys[spelt[0]] = _Key(parameter, annotation, once, option.min, option.max)
    return keys


def _key(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")


def _as_now(tables: Mapping[str, Any], keys: Mapping[str, _Key], path: Path) -> dict[str, Any]:
    """Return what a file says by the names of today."""
    now = {key.once: name for name, key in keys.items() if key.once is not None}
    for name in tables:
        if now.get(name) in tables:
            raise InputError(f"{path}: {name} is now called {now[name]}; leave {name} out")
    return {now.get(name, name): value for name, value in tables.items()}


def _model_of(keys: Mapping[str, _Key]) -> Any:  # noqa: ANN401 - a class that is made here
    fields: dict[str, Any] = {}
    for name, key in keys.items():
        annotation = key.annotation
        if name == "prompt":
            annotation = Path | list[Path | PromptTable]
        elif annotation == list[str] | None:
            annotation = str | list[str]
        fields[name] = (annotation | None, Field(None, ge=key.least, le=key.most))
    return create_model("CampaignFile", __base__=Settings, **fields)


def _typed(value: Any, folder: Path) -> Any:  # noqa: ANN401 - whatever an option takes
    """Return a value as it would be typed in the file's folder."""
    if isinstance(value, list):
        return [_typed(one, folder) for one in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(folder / value.expanduser())
    if isinstance(value, PromptTable):
        share = "" if value.share is None else f"={value.share}"
        return f"{folder / value.file.expanduser()}{share}"
    return value
