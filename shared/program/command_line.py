"""The command line that a program was given, to be kept and given again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperArgument, TyperOption


def given_arguments(context: typer.Context, paths: Collection[str]) -> list[str]:
    """Return the arguments with which the command at work was called, fit to be given again.

    What has its default is left out. ``paths`` names the parameters that take a path, or a path
    among other things: what exists is given whole, so that the folder from which the command was
    called does not matter.
    """
    values = {
        name: _whole(value) if name in paths else value for name, value in context.params.items()
    }
    return rendered(context.command.params, values, context)


def rendered(
    parameters: Sequence[Any], values: Mapping[str, Any], context: typer.Context
) -> list[str]:
    """Return the arguments that a command's parser reads as ``values``, by parameter."""
    options: list[str] = []
    positional: list[str] = []
    for parameter in parameters:
        value = values.get(parameter.name, parameter.get_default(context))
        if isinstance(parameter, TyperArgument):
            positional += [str(item) for item in _items(value)]
        elif isinstance(parameter, TyperOption) and value != parameter.get_default(context):
            options += _option(parameter, value)
    return [*options, "--", *positional] if positional else options


def without_paths(arguments: Sequence[str], placeholders: Mapping[str, str]) -> list[str]:
    """Return ``arguments`` as they may be shown to others: of a path or URL its last name only.

    ``placeholders`` gives the word that stands for the value of an option, such as ``--out``.
    """
    shown: list[str] = []
    for argument in arguments:
        option, _, value = argument.rpartition("=")
        if shown and shown[-1] in placeholders:
            shown.append(placeholders[shown[-1]])
        elif option in placeholders:
            shown.append(f"{option}={placeholders[option]}")
        elif Path(value).is_absolute() or "://" in value:
            shown.append(f"{option}={Path(value).name}" if option else Path(value).name)
        else:
            shown.append(argument)
    return shown


def _option(option: TyperOption, value: Any) -> Iterator[str]:  # noqa: ANN401
    name = option.opts[0]
    if option.is_flag:
        # A flag that has a negative is given by name either way; one without is given if true.
        yield name if value else option.secondary_opts[0]
        return
    for item in _items(value):
        text = str(item)
        # A value that looks like an option must hang on its own.
        yield from [f"{name}={text}"] if text.startswith("-") else [name, text]


def _items(value: Any) -> Sequence[Any]:  # noqa: ANN401
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def _whole(value: Any) -> Any:  # noqa: ANN401
    """Return a path, a name with a path, or several of them with whole paths."""
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    name, separator, path = str(value).rpartition("=")
    if value is None or not (isinstance(value, Path) or Path(path).exists()):
        return value
    return f"{name}{separator}{Path(path).resolve()}"
