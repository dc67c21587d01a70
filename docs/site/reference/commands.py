"""The reference of programs: each command and option as its ``--help`` says them, and old names."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from itertools import groupby

import typer
from typer._click.core import Context, Parameter

from docs.site.reference.markdown import code, plain, table, with_code
from shared.program.command_line.command import help_record

PROGRAMS = ("curator", "trainer", "evaluator")
_OF_EVERY_COMMAND = "Of every command"


def program_page(program: str) -> str:
    """Return the page of a program."""
    help_text, contexts = _commands(program)
    parts = [f"# {program}\n\n{plain(help_text)}\n\n"]
    parts.append(table(["command", ""], (_row(program, each) for each in contexts)))
    for each in contexts:
        parts += _command(program, each)
    return "".join(parts)


def renamed_page() -> str:
    """Return the page of options that had other names in the first release."""
    rows = [
        (f"[`{program} {each.info_name}`]({program}.md#{program}-{each.info_name})", code(old), now)
        for program in PROGRAMS
        for each in _commands(program)[1]
        for old, now in _renamed(each)
    ]
    return (
        "# Renamed options\n\nWhat the first release called otherwise. Old names still work, and "
        f"are left out of `--help`.\n\n{table(['command', 'was', 'is'], rows)}"
    )


def _commands(program: str) -> tuple[str, list[Context]]:
    """Return what a program is for, and a context of each command, its module imported."""
    group = typer.main.get_command(importlib.import_module(f"{program}.__main__").app)
    context = group.make_context(program, [], resilient_parsing=True)
    names = group.list_commands(context)  # type: ignore[attr-defined]
    return group.help or "", [
        group.get_command(context, name).make_context(name, [], resilient_parsing=True)  # type: ignore[attr-defined]
        for name in names
    ]


def _renamed(context: Context) -> Iterator[tuple[str, str]]:
    for old, now in getattr(context.command, "renamed", {}).items():
        yield old, code(now)
    if once := getattr(context.command, "once_argument", ""):
        yield f"{context.info_name} VALUE", code(f"{context.info_name} {once} VALUE")


def _row(program: str, context: Context) -> tuple[str, str]:
    first = (context.command.help or "").partition("\n")[0]
    name = context.info_name
    return f"[`{program} {name}`](#{program}-{name})", plain(first)


def _command(program: str, context: Context) -> Iterator[str]:
    command = context.command
    yield f"## {program} {context.info_name}\n\n"
    for paragraph in (command.help or "").split("\n\n"):
        yield _paragraph(paragraph)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"    {program} {context.info_name} {usage}\n\n"
    shown = [each for each in command.get_params(context) if not getattr(each, "hidden", False)]
    panels = _panels(shown)
    for panel, several in groupby(
        sorted(shown, key=lambda each: panels.index(_panel(each))), key=_panel
    ):
        rows = [_option(parameter, context) for parameter in several]
        yield f"**{panel}**\n\n{table(['', ''], rows)}"
    for paragraph in (command.epilog or "").split("\n\n"):
        yield _paragraph(paragraph)


def _paragraph(text: str) -> str:
    """Return a paragraph; lines that are indented are commands."""
    lines = [line for line in text.replace("\b", "").splitlines() if line.strip()]
    if lines and all(line.startswith("  ") for line in lines):
        return "".join(f"    {line.strip()}\n" for line in lines) + "\n"
    return f"{with_code(' '.join(lines))}\n\n" if lines else ""


def _panels(shown: Sequence[Parameter]) -> list[str]:
    """Return the groups in order: arguments first, and what every command has last."""
    panels = dict.fromkeys(map(_panel, shown))
    return sorted(panels, key=lambda panel: (panel != "Arguments", panel == _OF_EVERY_COMMAND))


def _panel(parameter: Parameter) -> str:
    if parameter.param_type_name == "argument":
        return "Arguments"
    return str(getattr(parameter, "rich_help_panel", None) or _OF_EVERY_COMMAND)


def _option(parameter: Parameter, context: Context) -> tuple[str, str]:
    record = help_record(parameter, context) or (str(parameter.name), "")
    return code(record[0]), with_code(record[1])
