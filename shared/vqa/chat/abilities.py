"""What a network is able to keep of all that stands before a question, read off its configuration.

What it keeps is only sure once ``shared.vqa.chat.proof`` has tried it on a picture.
"""

from __future__ import annotations

import inspect
from enum import StrEnum
from typing import Final

from transformers import DynamicCache, PretrainedConfig, PreTrainedModel

IMAGE_FEATURES: Final = "get_image_features"


class Keeping(StrEnum):
    """What is kept for the questions about a picture; the words stand in a run's provenance.

    ``ROWS``: tokens see earlier ones alone, and a mask decides which of these, so that several
    questions stand in one row behind one prefix. ``COPIES``: a running sum of what came before,
    which no mask parts again; each question starts with a copy of it. ``FEATURES``: the picture's
    tokens see the question, so that only what comes before the language model can be kept.
    """

    ROWS = "vision tower and projector; keys and values of all that stands before the question"
    COPIES = "vision tower and projector; the state after all that stands before the question"
    FEATURES = "vision tower and projector"
    NOTHING = ""


_MASKED_LAYERS: Final = frozenset({"full_attention", "sliding_attention"})
"""Kinds of layers in which a mask decides what a token sees."""


def has_picture_tokens(config: PretrainedConfig) -> bool:
    """Return whether a picture stands as tokens among those of a prompt.

    With a Q-Former its queries do, and a model is asked as it was pretrained: without instruction.
    """
    return (
        getattr(config, "image_token_id", None) is not None
        and getattr(config, "qformer_config", None) is None
    )


def keeping_of(network: PreTrainedModel) -> Keeping:
    """Return the most that a network may keep, before it was tried."""
    takes = inspect.signature(network.base_model.forward).parameters
    if not hasattr(network.base_model, IMAGE_FEATURES):
        return Keeping.NOTHING
    if network.config.is_encoder_decoder:
        return Keeping.FEATURES
    if "mm_encoder_outputs" not in takes:
        return Keeping.NOTHING
    text = network.config.get_text_config(decoder=True)
    if getattr(text, "cross_attention_layers", None):
        # Its pictures do not stand among the tokens.
        return Keeping.NOTHING
    return Keeping.ROWS if layer_kinds(network) <= _MASKED_LAYERS else Keeping.COPIES


def layer_kinds(network: PreTrainedModel) -> frozenset[str]:
    """Return the kinds of a decoder's layers, as transformers names them."""
    text = network.config.get_text_config(decoder=True)
    return frozenset(getattr(text, "layer_types", None) or {"full_attention"})


def window_of(network: PreTrainedModel) -> int | None:
    """Return how far back a sliding layer sees, in tokens; ``None`` where every layer sees all."""
    layers = DynamicCache(config=network.config.get_text_config(decoder=True)).layers
    windows = [layer.sliding_window for layer in layers if getattr(layer, "is_sliding", False)]
    return min(windows, default=None)


def follows_the_shape(network: PreTrainedModel) -> bool:
    """Return whether positions have three rows and follow a picture's shape (M-RoPE).

    Qwen2-VL: Wang et al. 2024, arXiv:2409.12191, section 2.1.
    """
    return hasattr(network.base_model, "rope_deltas")
