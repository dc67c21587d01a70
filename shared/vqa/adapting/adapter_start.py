"""How an adapter was started, and whether a base can be given to it as it then was.

Some starts of peft write to the base: the adapter's file holds A and B alone, and belongs to a base
from which the start was taken out. peft takes it out again whenever the adapter is loaded, which is
exact where the start follows from the weights, and silently wrong where chance or data decided it.
Read in peft 0.21.2.
"""

from __future__ import annotations

from typing import Final

from peft import LoraConfig, PeftModel

from shared.errors import InputError

_LEAVE_THE_BASE: Final = frozenset(
    {"true", "false", "none", "gaussian", "eva", "orthogonal", "mica"}
)
_FOLLOW_FROM_THE_BASE: Final = frozenset({"pissa", "olora"})
_WAY_OUT: Final = (
    "where it was trained, save it again by peft's save_pretrained with "
    "path_initial_model_for_weight_conversion, or merge it into its base"
)


def require_start(adapter: object, config: LoraConfig, *, rounded: bool) -> LoraConfig:
    """Return the configuration to load an adapter with; ``adapter`` names it in errors.

    A start that leaves the base alone becomes peft's plain one, which needs no weights of the base
    and loads in any format: every A and B is read from the file.

    Raises:
        InputError: the base cannot be had as the adapter was trained on it.
    """
    start = str(config.init_lora_weights)
    if not rewrites_base(config):
        config.init_lora_weights = True
        return config
    if config.kasa_config is None and start.lower() not in _FOLLOW_FROM_THE_BASE:
        raise InputError(
            f"{adapter}: started with init_lora_weights {start!r}, which changed its base in a way "
            f"that this file does not hold; {_WAY_OUT}"
        )
    if rounded:
        name = "kasa_config" if config.kasa_config is not None else f"init_lora_weights {start!r}"
        raise InputError(
            f"{adapter}: started with {name}, which takes components out of the base's exact "
            f"weights, and these are held rounded; load it with quantization none, or, "
            f"{_WAY_OUT}"
        )
    return config


def rewrites_base(config: LoraConfig) -> bool:
    """Return whether loading an adapter changes the weights of its base."""
    if getattr(config, "kasa_config", None) is not None:
        return True
    return str(config.init_lora_weights).lower() not in _LEAVE_THE_BASE


def base_is_whole(peft: PeftModel) -> bool:
    """Return whether a model with its adapters switched off is the base."""
    return not any(map(rewrites_base, peft.peft_config.values()))
