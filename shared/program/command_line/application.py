"""What every program's command line has: its commands, ``--version``, completion in the shell.

A command's module is imported once the command is called, or its own options are asked for. So
``--help`` and completion answer at once, however long a command's imports take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand

from shared.errors import AboVqaError
from shared.program.command_line.command import FullSummaries, HelpfulCommand
from shared.program.process.garbage import garbage_left_alone
from shared.program.reporting.verbosity import tell_more

DISTRIBUTION: Final = "abo-vqa"
_HELP: Final = {"help_option_names": ["-h", "--help"]}


@dataclass(frozen=True)
class Command:
    """A command: the module and the function that it is, and its line in the list of commands.

    The line is the first one of the function's docstring.
    """

    module: str
    function: str
    summary: str

    def load(self) -> Callable[..., Any]:
        """Return the function, its module imported."""
        function: Callable[..., Any] = getattr(import_module(self.module), self.function)
        return function


def _show_version(context: typer.Context, is_asked: bool) -> None:
    if is_asked:
        print(f"{context.find_root().info_name} {_version()}")
        raise typer.Exit


def _tell_more(is_asked: bool) -> None:
    if is_asked:
        tell_more()


Version = Annotated[
    bool,
    typer.Option(
        "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        callback=_tell_more,
        is_eager=True,
        help="Tell all events, and where each option comes from.",
    ),
]


def application(
    program: str,
    purpose: str,
    commands: Mapping[str, Command],
    prepare: Callable[[], None] | None = None,
    *,
    examples: Mapping[str, Sequence[str]] = MappingProxyType({}),
    groups: Mapping[str, str] = MappingProxyType({}),
    once_arguments: Mapping[str, str] = MappingProxyType({}),
) -> typer.Typer:
    """Return the application of ``program``, its commands by name; each starts with ``prepare``.

    ``examples`` has what one types of each command, ``groups`` the options of each
    group, without their dashes, and ``once_arguments`` by command the option whose values the first
    release took without its name.
    """
    app = typer.Typer(
        name=program,
        cls=FullSummaries,
        help=purpose,
        no_args_is_help=True,
        context_settings=_HELP,
        # Panels and colours would cost as much time again as all else that `--help` does.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def start(
        *,
        version: Version = False,  # noqa: ARG001 - its callback acts
        verbose: Verbose = False,  # noqa: ARG001
    ) -> None:
        if prepare is not None:
            prepare()

    panels = {f"--{name}": group for group, names in groups.items() for name in names.split()}
    for name, command in commands.items():
        shown = _Shown(name, examples.get(name, ()), panels, once_arguments.get(name, ""))
        app.command(name, cls=_deferred(shown, command), help=command.summary)(_loaded_later)
    return app


@dataclass(frozen=True)
class _Shown:
    """What the help of a command says beside its options."""

    name: str
    examples: Sequence[str]
    panels: Mapping[str, str]
    once_argument: str


def default_events() -> None:
    """Set up the events of a command that keeps no log file; structlog is imported then."""
    from shared.program.reporting import events  # noqa: PLC0415 - a fifth of a second

    events.set_up_events()


def _version() -> str:
    """Return the installed release.

    Raises:
        AboVqaError: the program runs from its sources alone.
    """
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - for this alone

    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError as error:
        raise AboVqaError(
            "no version: it runs from its sources; install it with pip install ."
        ) from error


def _loaded_later() -> None:
    """Stand where typer wants a function."""


def _of_every_command(
    *,
    verbose: Verbose = False,
    version: Version = False,
) -> None:
    """Stand for the options that every command has, beside ``--help``."""


def _deferred(shown: _Shown, command: Command) -> type[TyperCommand]:
    """Return the command that takes the place of ``command`` until it is wanted."""

    class Deferred(TyperCommand):
        @cached_property
        def whole(self) -> Any:  # noqa: ANN401 - typer gives its commands no public type
            # It imports the command's module, and pydantic by way of typer.
            with garbage_left_alone():
                return _command_of(shown, command)

        def make_context(self, *arguments: Any, **more: Any) -> Any:  # noqa: ANN401
            return self.whole.make_context(*arguments, **more)

    return Deferred


def _command_of(shown: _Shown, command: Command) -> Any:  # noqa: ANN401
    whole = _read(shown.name, command.load(), HelpfulCommand)
    taken = {spelling for each in whole.params for spelling in each.opts}
    for each in _read("any", _of_every_command, TyperCommand).params:
        if taken.isdisjoint(each.opts):
            each.expose_value = False
            whole.params.append(each)
    whole.take_over(shown.panels, shown.examples, shown.once_argument)
    return whole


def _read(name: str, function: Callable[..., Any], kind: type[TyperCommand]) -> Any:  # noqa: ANN401
    """Return the command that typer makes of a function's parameters."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name, cls=kind, context_settings=_HELP)(function)
    return typer.main.get_command(app)
