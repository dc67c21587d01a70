"""The edge of every program: exit codes and one clear line on standard error."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final, NoReturn

import typer
from typer.exceptions import TyperException

from shared.errors import (
    EXIT_BAD_INPUT,
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_STOPPED_FOR_NOW,
    AboVqaError,
    InputError,
)
from shared.program.command_line.nearest import nearest
from shared.program.full_disk import MAKE_ROOM, why_disk_takes_no_more
from shared.program.stopping import GOES_ON, interrupt_once

_INTERRUPTED = 130
"""What typer 0.29 returns for a keyboard interrupt."""

_NO_OPTION: Final = re.compile(
    r"No such option: (?P<given>\S+) \(Possible options: (?P<options>.+)\)"
)
_NO_CHOICE: Final = re.compile(r"'(?P<given>[^']*)' is not one of (?P<choices>.*)")
_INSTALLS_COMPLETION: Final = "--install-completion"
_NO_PLUGINS: Final = ("PYDANTIC_DISABLE_PLUGINS", "__all__")
"""What is installed beside sees none of our settings, keys among them; looking for it takes time.

(https://docs.pydantic.dev/latest/concepts/plugins/)
"""
_OURS: Final = frozenset({"curator", "evaluator", "shared", "trainer"})
_FURTHER_EXTRAS: Final[Mapping[tuple[str, str], str]] = {
    ("curator", "openai"): "openai",
    ("evaluator", "onnxruntime"): "onnx",
    ("evaluator", "open_clip"): "clip",
    ("trainer", "onnx"): "onnx",
    ("trainer", "onnxruntime"): "onnx",
    ("trainer", "onnxscript"): "onnx",
    ("trainer", "ray"): "sweep",
}
"""Packages that a program has from another extra than its own."""


@contextmanager
def extra_of(name: str) -> Iterator[None]:
    """Leave the process with one line where a package of the program's extra is not installed.

    Raises:
        SystemExit: with the code of bad usage; the line names the extra.
        ModuleNotFoundError: what is missing is our own, or a part of a package that is there.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = error.name or ""
        if not package or "." in package or package in _OURS:
            raise
        further = _FURTHER_EXTRAS.get((name, package))
        extras = name if further is None else f"{name},{further}"
        print(
            f"{name} needs its extra ({package} is not installed): pip install 'abo-vqa[{extras}]'",
            file=sys.stderr,
        )
        raise SystemExit(EXIT_BAD_INPUT) from None


def run_program(
    app: typer.Typer,
    name: str,
    arguments: Sequence[str] | None = None,
    *,
    goes_on: Mapping[str, str] = MappingProxyType({}),
) -> NoReturn:
    """Run a typer application and leave the process with the exit code of the contract.

    0 done; 1 failed; 2 bad input or usage; 75 stopped for now. Errors that the project raises on
    purpose become one line on standard error; anything else is a bug and keeps its traceback.
    SIGTERM and SIGINT interrupt what a command does, unless it handles them itself.

    Args:
        app: the application.
        name: the program's, which begins its lines.
        arguments: the words after it; by default those of the process.
        goes_on: how an interrupted command goes on, by its name, where that is not ``GOES_ON``.
    """
    os.environ.setdefault(*_NO_PLUGINS)
    words = sys.argv[1:] if arguments is None else arguments
    line = next((goes_on[word] for word in words if word in goes_on), GOES_ON)
    try:
        # A library may run a program in a thread, where no signal arrives.
        if threading.current_thread() is threading.main_thread():
            interrupt_once(name, line)
        _require_text(words)
        # It reads every option's type, which takes long enough to be interrupted.
        command = typer.main.get_command(app)
        with extra_of(name):
            outcome = command.main(
                args=None if arguments is None else list(arguments),
                prog_name=name,
                standalone_mode=False,
            )
        # What was printed may still wait for room on the disk that it goes to.
        sys.stdout.flush()
    except TyperException as error:
        if message := error.format_message():  # empty where the help was shown instead
            print(_told(name, message), file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except (typer.Abort, KeyboardInterrupt):
        outcome = _INTERRUPTED
    except AboVqaError as error:
        # What a message quotes, such as a prompt or a file's name, may have breaks of its own.
        print(f"{name}: {' '.join(str(error).splitlines())}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except OSError as error:
        _end_of_os_error(name, words, error)
    if outcome == _INTERRUPTED:
        # Where text was being run as code, as a dataclass does while it is imported, CPython keeps
        # in mind that an interrupt came, and would end as if by SIGINT; running some forgets it.
        exec("")  # noqa: S102
        print(f"{name}: {line}", file=sys.stderr)
        raise SystemExit(EXIT_STOPPED_FOR_NOW)
    raise SystemExit(outcome if isinstance(outcome, int) else EXIT_DONE)


def _told(name: str, message: str) -> str:
    """Return what is told of a wrong command line: one line, or the help where it is empty."""
    if message.startswith("Usage:"):
        return message
    # What a type of ours says comes with the name of its exception in front.
    line = message.replace(": Value error, ", ": ").rstrip(".")
    if unknown := _NO_OPTION.fullmatch(line):
        options = unknown["options"].split(", ")
        near = nearest(unknown["given"], options, likeness=0)
        line = f"No such option: {unknown['given']}; did you mean {near[0]}?"
    elif wrong := _NO_CHOICE.search(line):
        choices = re.findall(r"'([^']+)'", wrong["choices"])
        near = nearest(wrong["given"], choices)
        line += "".join(f"; did you mean {each!r}?" for each in near)
    return f"{name}: {line}; see --help"


def _end_of_os_error(name: str, words: Sequence[str], error: OSError) -> NoReturn:
    if reason := why_disk_takes_no_more(error):
        # Python would try once more to write what is left, and tell of that in lines of its own.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        told = f"nothing more can be written ({reason}); {MAKE_ROOM}"
    elif _INSTALLS_COMPLETION in words:
        told = (
            f"completion cannot be installed ({error}); "
            "put what --show-completion prints where your shell reads it"
        )
    else:
        raise error
    print(f"{name}: {told}", file=sys.stderr)
    raise SystemExit(EXIT_FAILED) from None


def _require_text(words: Sequence[str]) -> None:
    """Refuse names that no file of ours could hold.

    Raises:
        InputError: a word was typed in bytes that are not UTF-8.
    """
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"{word!r}: is not UTF-8; rename it, or type it as UTF-8") from error
