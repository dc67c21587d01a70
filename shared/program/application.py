"""What every program's command line has: its commands, ``--version``, completion in the shell.

A command's module is imported once the command is called, or its own options are asked for. So
``--help`` and completion answer at once, however long a command's imports take.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand

from shared.errors import AboVqaError

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
        with _garbage_left_alone():
            module = import_module(self.module)
        function: Callable[..., Any] = getattr(module, self.function)
        return function


@contextmanager
def _garbage_left_alone() -> Iterator[None]:
    """Look for no garbage in the block, nor ever among what it made: what is imported stays."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _show_version(context: typer.Context, is_asked: bool) -> None:
    if is_asked:
        print(f"{context.info_name} {_version()}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
    ),
]


def application(
    program: str,
    purpose: str,
    commands: Mapping[str, Command],
    prepare: Callable[[], None] | None = None,
) -> typer.Typer:
    """Return the application of ``program``, its commands by name; each starts with ``prepare``."""
    app = typer.Typer(
        name=program,
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
    ) -> None:
        if prepare is not None:
            prepare()

    for name, command in commands.items():
        app.command(name, cls=_deferred(name, command), help=command.summary)(_loaded_later)
    return app


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


def _deferred(name: str, command: Command) -> type[TyperCommand]:
    """Return the command that takes the place of ``command`` until it is wanted."""

    class Deferred(TyperCommand):
        @cached_property
        def whole(self) -> Any:  # noqa: ANN401 - typer gives its commands no public type
            return _command_of(name, command)

        def make_context(self, *arguments: Any, **more: Any) -> Any:  # noqa: ANN401
            return self.whole.make_context(*arguments, **more)

    return Deferred


def _command_of(name: str, command: Command) -> Any:  # noqa: ANN401
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name, context_settings=_HELP)(command.load())
    return typer.main.get_command(app)
