"""What was typed, as the words of ``curator run``, for the line that names the next command."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from inspect import signature
from typing import Any, Final

import typer

from shared.program.command_line.spellings import first_spelling

_SECRETS: Final = frozenset({"status_token"})


def run_words(context: typer.Context, but: str = "") -> list[str]:
    """Return ``curator run`` with those of the options typed that it takes.

    Secrets are left out, and the parameter called ``but``.
    """
    # By its name, for it has this module's words among its own.
    taken = set(signature(import_module("curator.commands.campaign.run").run).parameters)
    words = ["curator", "run"]
    for each in context.command.get_params(context):
        name = str(each.name)
        source = context.get_parameter_source(name)
        is_typed = source is not None and source.name == "COMMANDLINE"
        if is_typed and name in taken - _SECRETS - {but}:
            spelt = first_spelling(each.opts) if each.param_type_name == "option" else ""
            words += _of(spelt, context.params[name])
    return words


def _of(option: str, value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever an option takes
    if isinstance(value, bool):
        yield from [option] if value else []
        return
    for one in value if isinstance(value, (list, tuple)) else [value]:
        text = str(one.value if isinstance(one, Enum) else one)
        yield from [option, text] if option else [text]
