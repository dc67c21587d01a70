"""A command as typer knows it: options in groups, examples, and old spellings that still work.

The help is plain text, for rich takes longer to import than all else that ``--help`` does.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from typer.core import TyperCommand, TyperGroup, TyperOption

from shared.errors import InputError
from shared.program.command_line.paths import no_path, url_of
from shared.program.command_line.spellings import as_now, first_spelling, old_spellings
from shared.program.reporting.verbosity import tells_more

_TYPE: Final = re.compile(r"<(?:list\[)?([^\[\]]+?)(?: range)?\]?>$")
_PLAIN: Final = {"str": "<text>", "int": "<number>", "float": "<number>", "Path": "<path>"}
FEW: Final = 8
"""Options that one can take in without groups."""
_ALL: Final = "Options"
_ANY: Final = "Of every command"
_SECRET: Final = ("token",)


class FullSummaries(TyperGroup):
    """A program whose list of commands has the whole line of each."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002
        """Write the commands, where typer cuts off what is longer than a line."""
        rows = [(name, str(each.help or "")) for name, each in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def help_record(parameter: Any, ctx: Any) -> tuple[str, str] | None:  # noqa: ANN401
    """Return how an option is typed and what it says, its type in words that nobody programs in."""
    record = parameter.get_help_record(ctx)
    if record is None:
        return None
    return _TYPE.sub(lambda found: _PLAIN.get(found[1], f"<{found[1]}>"), record[0]), record[1]


class HelpfulCommand(TyperCommand):
    """A command whose options stand in groups, with examples after them.

    Of an option with several long names the first is shown; the others are old spellings.
    """

    examples: Sequence[str] = ()
    once_argument: str = ""
    """The option whose values the first release took without its name."""

    @cached_property
    def renamed(self) -> dict[str, str]:
        """What options are called now, by their old names."""
        return {}

    def take_over(self, panels: Mapping[str, str], examples: Sequence[str], lone: str) -> None:
        """Take the groups of options by name, examples, and the option that needed no name once."""
        self.examples, self.once_argument = examples, lone
        # Lines that are indented are commands.
        self.epilog = "\n".join(["Examples:", "", *(f"  {each}" for each in examples)])
        for each in self._options:
            name, old = first_spelling(each.opts), old_spellings(each.opts)
            each.rich_help_panel = panels.get(name)
            # Neither help nor completion is to offer them.
            each.opts = [spelt for spelt in each.opts if spelt not in old]
            self.renamed |= dict.fromkeys(old, name)

    @property
    def _options(self) -> list[TyperOption]:
        return [each for each in self.params if isinstance(each, TyperOption)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Read the words, also as the first release took them."""
        with_value = {spelt for each in self._options if not each.is_flag for spelt in each.opts}
        now = as_now(args, self.renamed, self.once_argument, with_value)
        left: list[str] = super().parse_args(ctx, now)
        return left

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer gives contexts no public type
        """Run the command; tell first where its options come from, if more is to be told.

        Raises:
            InputError: a URL where a file or folder has to be.
        """
        _require_no_url(ctx)
        if tells_more():
            for line in _sources(ctx):
                print(line, file=sys.stderr)
        return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Write the arguments, then the options by group."""
        shown = [(each, help_record(each, ctx)) for each in self.get_params(ctx)]
        records = [(each, record) for each, record in shown if record is not None]
        has_groups = sum(isinstance(each, TyperOption) for each, _ in records) > FEW
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": []}
        for each, record in records:
            group = "Arguments"
            if isinstance(each, TyperOption):
                group = (each.rich_help_panel or _ANY) if has_groups else _ALL
            groups.setdefault(group, []).append(record)
        # What every command has comes last.
        for group in sorted(groups, key=_ANY.__eq__):
            if groups[group]:
                with formatter.section(group):
                    formatter.write_dl(groups[group])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002
        """Write the examples, each line as it is typed."""
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def _require_no_url(ctx: Any) -> None:  # noqa: ANN401
    for each in ctx.command.get_params(ctx):
        if (url := url_of(ctx.params.get(each.name))) is not None:
            name = first_spelling(each.opts) if isinstance(each, TyperOption) else each.name
            raise InputError(no_path(name, url))


def _sources(ctx: Any) -> list[str]:  # noqa: ANN401
    """Return a line for each option that has not its default: its value, and who said so."""
    lines = []
    for each in ctx.command.get_params(ctx):
        source = ctx.get_parameter_source(each.name)
        word = _SOURCES.get(getattr(source, "name", ""))
        if word is None or not isinstance(each, TyperOption) or not each.expose_value:
            continue
        is_secret = any(part in (each.name or "") for part in _SECRET)
        value = "***" if is_secret else ctx.params.get(each.name)
        lines.append(f"{first_spelling(each.opts)}: {value} ({word})")
    return lines


_SOURCES: Final = {
    "COMMANDLINE": "typed",
    "ENVIRONMENT": "environment",
    "DEFAULT_MAP": "campaign file",
}
"""Who says the value of an option, first who comes first."""
