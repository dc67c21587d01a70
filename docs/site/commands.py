"""The reference of a program: each command and option, as its ``--help`` says them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from itertools import groupby

import typer
from typer._click import Command, Context
from typer._click.core import Parameter

from docs.site.markdown import code, plain, table, with_code

PROGRAMS = ("curator", "trainer", "evaluator")


def program_page(program: str) -> str:
    """Return the page of a program."""
    app = importlib.import_module(f"{program}.__main__").app
    group = typer.main.get_command(app)
    context = group.make_context(program, [], resilient_parsing=True)
    names = group.list_commands(context)  # type: ignore[attr-defined]
    contexts = [_context(group.get_command(context, name)) for name in names]  # type: ignore[attr-defined]
    parts = [f"# {program}\n\n{plain(group.help or '')}\n\n"]
    parts.append(table(["command", ""], (_row(program, each.command) for each in contexts)))
    for each in contexts:
        parts += _command(program, each.command, each)
    return "".join(parts)


def _context(command: Command) -> Context:
    """Return the context of a command, which has the command itself, its module imported."""
    return command.make_context(command.name, [], resilient_parsing=True)


def _row(program: str, command: Command) -> tuple[str, str]:
    first = (command.help or "").partition("\n")[0]
    return f"[`{program} {command.name}`](#{program}-{command.name})", plain(first)


def _command(program: str, command: Command, context: Context) -> Iterator[str]:
    yield f"## {program} {command.name}\n\n"
    for paragraph in (command.help or "").split("\n\n"):
        yield _paragraph(paragraph)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"    {program} {command.name} {usage}\n\n"
    shown = [each for each in command.params if not getattr(each, "hidden", False)]
    for panel, several in groupby(sorted(shown, key=_order(shown)), key=_panel):
        rows = [_option(parameter, context) for parameter in several]
        yield f"**{panel}**\n\n{table(['', ''], rows)}"
    if epilog := command.epilog:
        yield "".join(_paragraph(paragraph) for paragraph in epilog.split("\n\n"))


def _paragraph(text: str) -> str:
    """Return a paragraph; lines that are indented are commands."""
    lines = [line for line in text.replace("\b", "").splitlines() if line.strip()]
    if lines and all(line.startswith("  ") for line in lines):
        return "".join(f"    {line.strip()}\n" for line in lines) + "\n"
    return f"{with_code(text.replace(chr(8), ''))}\n\n"


def _panel(parameter: Parameter) -> str:
    if panel := getattr(parameter, "rich_help_panel", None):
        return str(panel)
    return "Options" if parameter.param_type_name == "option" else "Arguments"


def _order(shown: list[Parameter]):  # noqa: ANN202
    panels = list(dict.fromkeys(_panel(parameter) for parameter in shown))
    panels.sort(key=lambda panel: panel != "Arguments")
    return lambda parameter: panels.index(_panel(parameter))


def _option(parameter: Parameter, context: Context) -> tuple[str, str]:
    record = parameter.get_help_record(context) or (parameter.human_readable_name, "")
    return code(record[0]), with_code(record[1])
