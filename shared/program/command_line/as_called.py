"""What a command ends with, for who calls a function in place of typing it.

Messages are written for the command line, which most people use. What a public function raises is
spelt anew here, at the one place where it leaves the function. And where an interrupt has a command
end with a line and exit code 75, a call raises what says the same.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from shared.errors import AboVqaError, StoppedForNow

if TYPE_CHECKING:
    from pydantic import BaseModel

P = ParamSpec("P")
T = TypeVar("T")
_OPTION: Final = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]*)(?![\w-])")
_COMMAND_AGAIN: Final = re.compile(r"\bthe same command\b")


def in_its_words(
    command: str, *more: type[BaseModel], **renamed: str
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator that spells a function's errors as one calls it.

    Args:
        command: the command that does the same.
        more: pydantic models, each field of which is an argument as well.
        renamed: what arguments are called, by options that are not called so; dashes as
            underscores.
    """

    def decorator(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return function(*args, **kwargs)
            except AboVqaError as error:
                if error.args and isinstance(error.args[0], str):
                    spelt = _arguments(function, more) | _dashed(renamed)
                    told = as_called(error.args[0], function.__name__, command, spelt)
                    error.args = (told, *error.args[1:])
                raise

        return called

    return decorator


def stopped_by_interrupts(function: Callable[P, T]) -> Callable[P, T]:
    """Have a function that goes on where it was left raise ``StoppedForNow`` if interrupted.

    Else a notebook shows every frame of torch and Ray, and nobody knows what was kept.
    """

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except KeyboardInterrupt:
            raise StoppedForNow(
                "interrupted: what was done until then is kept, and the same call goes on"
            ) from None

    return called


def as_called(message: str, function: str, command: str, arguments: Mapping[str, str]) -> str:
    """Return a message with options as arguments; those of other commands stay as they are.

    ``arguments`` has how an argument is written, by the option without its dashes.

    >>> spelt = {"out": "out", "resume": "resume=True"}
    >>> as_called("--out a: holds a run; --resume goes on", "fit", "trainer fit", spelt)
    '`out` a: holds a run; `resume=True` goes on'
    >>> as_called("finish it with `trainer fit --resume`", "fit", "trainer fit", spelt)
    'finish it with `fit(..., resume=True)`'
    """
    parts = message.split("`")
    for place, part in enumerate(parts):
        if place % 2 == 0:
            with_arguments = _OPTION.sub(lambda found: _argument(found, arguments), part)
            parts[place] = _COMMAND_AGAIN.sub("the same call", with_arguments)
        elif part.startswith(command) and (words := _switches(part[len(command) :], arguments)):
            parts[place] = f"{function}(..., {words})"
    return "`".join(parts)


def _argument(found: re.Match[str], arguments: Mapping[str, str]) -> str:
    spelt = arguments.get(found[1])
    return found[0] if spelt is None else f"`{spelt}`"


def _switches(options: str, arguments: Mapping[str, str]) -> str:
    """Return switches as arguments; empty where there is anything else."""
    words = [word for word in options.split() if word != "..."]
    spelt = [arguments.get(word.removeprefix("--"), "") for word in words]
    return ", ".join(spelt) if all("=" in each for each in spelt) else ""


def _arguments(function: Callable[..., object], more: Sequence[type[BaseModel]]) -> dict[str, str]:
    """Return how each argument is written, by its option."""
    return {
        option: written
        for name, default in _named(function, more)
        for option, written in _written(name, default)
    }


def _named(
    function: Callable[..., object], more: Sequence[type[BaseModel]]
) -> Iterator[tuple[str, object]]:
    for model in more:
        yield from ((name, field.default) for name, field in model.model_fields.items())
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not parameter.VAR_KEYWORD:
            yield name, parameter.default


def _written(name: str, default: object) -> Iterator[tuple[str, str]]:
    option = name.replace("_", "-")
    if isinstance(default, bool):
        yield from [(option, f"{name}=True"), (f"no-{option}", f"{name}=False")]
    else:
        yield option, name


def _dashed(renamed: Mapping[str, str]) -> dict[str, str]:
    return {option.replace("_", "-"): name for option, name in renamed.items()}
