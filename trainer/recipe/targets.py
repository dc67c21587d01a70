"""Which layers an adapter goes on: what a recipe may say of them, and what it then matches.

As in PEFT: a list holds ends of names, by whole parts; a text is a regular expression that whole
names match; ``all-linear`` stands for every linear layer but the one that says the answer.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import BeforeValidator
from torch import nn

from shared.errors import InputError

AUTO: Final = "auto"
ALL_LINEAR: Final = "all-linear"
_EXPECTED: Final = (
    'give "auto", "all-linear", a list of ends of names such as ["query", "value"], or a regular '
    'expression that whole names match, such as ".*text_encoder.*(query|value)"'
)
_LAYERS: Final = (nn.Linear, nn.Embedding, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""What PEFT can put an update on, in the models that are trained here."""
_NEAR: Final = 3


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


Targets = Annotated[tuple[str, ...] | str, BeforeValidator(_checked)]


def require_layers(
    network: nn.Module, targets: Sequence[str] | str, model: str, family: str, layer_names: str
) -> None:
    """Check that targets match layers of a network, and nothing that cannot get an update.

    Raises:
        InputError: they match nothing, or something else than a layer; names near them are given.
    """
    if targets == ALL_LINEAR:
        return
    modules = dict(network.named_modules())
    matched = [name for name in modules if name and is_target(name, targets)]
    if not matched:
        raise InputError(
            f"lora.targets {_shown(targets)} match no layer of {model}"
            f"{_near(targets, modules)}; those of {family} are {layer_names}"
        )
    for name in matched:
        if not isinstance(modules[name], _LAYERS):
            inside = next((layer for layer in modules if layer.startswith(f"{name}.")), "")
            way_out = f"name what is inside it, such as {inside}" if inside else "leave it out"
            raise InputError(
                f"lora.targets {_shown(targets)} match {name}, a {type(modules[name]).__name__}, "
                f"which cannot have an update; {way_out}"
            )


def is_target(name: str, targets: Sequence[str] | str) -> bool:
    """Return whether PEFT puts an update on the module of this name."""
    if isinstance(targets, str):
        return re.fullmatch(targets, name) is not None
    return any(name == target or name.endswith(f".{target}") for target in targets)


def _shown(targets: Sequence[str] | str) -> str:
    return repr(targets) if isinstance(targets, str) else str(list(targets))


def _near(targets: Sequence[str] | str, modules: dict[str, Any]) -> str:
    layers = [name for name, module in modules.items() if isinstance(module, _LAYERS)]
    if isinstance(targets, str):
        inside = [name for name in layers if re.search(targets, name)]
        if inside:
            return f" as a whole name ({inside[0]} has it inside; put .* around it)"
        near = difflib.get_close_matches(targets, layers, n=_NEAR, cutoff=0.3)
        return f" as a whole name; near are {', '.join(near)}" if near else ""
    ends = sorted({name.rpartition(".")[2] for name in layers})
    near = [
        close
        for target in targets
        for close in difflib.get_close_matches(target.rpartition(".")[2], ends, n=_NEAR)
    ]
    return f"; near are {', '.join(dict.fromkeys(near))}" if near else ""
