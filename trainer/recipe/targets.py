"""Which layers an adapter goes on, as a recipe may say it.

As in PEFT: a list holds ends of names, by whole parts; a text is a regular expression that whole
names match; ``all-linear`` stands for every linear layer but the one that says the answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import BeforeValidator

AUTO: Final = "auto"
ALL_LINEAR: Final = "all-linear"
_EXPECTED: Final = (
    'give "auto", "all-linear", a list of ends of names such as ["query", "value"], or a regular '
    'expression that whole names match, such as ".*text_encoder.*(query|value)"'
)

_NAME: Final = re.compile(r"[\w.]+")


def _checked(value: object) -> object:
    if isinstance(value, str):
        if not value.strip():
            raise ValueError(f"is empty; {_EXPECTED}")
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression ({error}); {_EXPECTED}") from None
        shorthand = value.strip().lower()
        return shorthand if shorthand in {AUTO, ALL_LINEAR} else value
    if not isinstance(value, (list, tuple)) or not all(isinstance(target, str) for target in value):
        raise ValueError(f"{value!r} was given; {_EXPECTED}")
    if not value:
        raise ValueError(f"names no layer; {_EXPECTED}")
    return tuple(value)


def _is_no_bare_name(value: object) -> object:
    """Check that in a list of targets no list was forgotten around ends of names."""
    if isinstance(value, str) and value not in {AUTO, ALL_LINEAR} and _NAME.fullmatch(value):
        raise ValueError(f"{value!r} stands there as a regular expression; {_EXPECTED}")
    return value


Targets = Annotated[tuple[str, ...] | str, BeforeValidator(_checked)]
OneOfTargets = Annotated[Targets, BeforeValidator(_is_no_bare_name)]
"""The same as one value of several to try."""


def is_target(name: str, targets: Sequence[str] | str) -> bool:
    """Return whether PEFT puts an update on the module of this name."""
    if isinstance(targets, str):
        return re.fullmatch(targets, name) is not None
    return any(name == target or name.endswith(f".{target}") for target in targets)
