"""Which layers of a network a recipe's targets match, and whether each can have an update."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from torch import nn

from shared.errors import InputError
from shared.program.command_line.nearest import nearest
from shared.vqa.packed.layers import PackedEmbedding
from trainer.recipe.targets import ALL_LINEAR, is_target

_LAYERS: Final = (nn.Linear, nn.Embedding, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""What PEFT can put an update on, in the models that are trained here."""
_NEAR: Final = 3


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
        if not isinstance(modules[name], _LAYERS) or isinstance(modules[name], PackedEmbedding):
            inside = next((layer for layer in modules if layer.startswith(f"{name}.")), "")
            way_out = f"name what is inside it, such as {inside}" if inside else "leave it out"
            raise InputError(
                f"lora.targets {_shown(targets)} match {name}, a {type(modules[name]).__name__}, "
                f"which cannot have an update; {way_out}"
            )


def _shown(targets: Sequence[str] | str) -> str:
    return repr(targets) if isinstance(targets, str) else str(list(targets))


def _near(targets: Sequence[str] | str, modules: dict[str, Any]) -> str:
    layers = [name for name, module in modules.items() if isinstance(module, _LAYERS)]
    if isinstance(targets, str):
        inside = [name for name in layers if re.search(targets, name)]
        if inside:
            return f" as a whole name ({inside[0]} has it inside; put .* around it)"
        near = nearest(targets, layers, most=_NEAR, likeness=0.3)
        return f" as a whole name; near are {', '.join(near)}" if near else ""
    ends = sorted({name.rpartition(".")[2] for name in layers})
    near = [
        close
        for target in targets
        for close in nearest(target.rpartition(".")[2], ends, most=_NEAR, likeness=0.6)
    ]
    return f"; near are {', '.join(dict.fromkeys(near))}" if near else ""
