"""Reading a prefix: vision tower, projector, and the language model's state after all of it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from transformers import Cache, PreTrainedModel

from shared.vqa.chat.abilities import follows_the_shape
from shared.vqa.chat.features import Features, image_features, without_pixels


def read_prefixes(
    network: PreTrainedModel,
    inputs: Mapping[str, Any],
    cache: Cache,
    features: Features | None = None,
) -> list[int]:
    """Fill ``cache`` with what stands before the questions about N pictures of one shape.

    Args:
        network: a decoder, whose output layer is left out: nothing is said yet.
        inputs: all of the processor's tensors, ``input_ids`` cut to the prefix, ``(N, T)``.
        cache: with no token in it.
        features: what ``image_features`` made of ``inputs``, where it was run before.

    Returns:
        For each picture, the position of the token after its prefix.
    """
    features = image_features(network, inputs) if features is None else features
    takes = inspect.signature(network.base_model.forward).parameters
    given = {name: value for name, value in without_pixels(inputs).items() if name in takes}
    network.base_model(
        **given, mm_encoder_outputs={"image": features}, past_key_values=cache, use_cache=True
    )
    length = int(inputs["input_ids"].shape[1])
    return [length + offset for offset in _offsets(network, len(inputs["input_ids"]))]


def _offsets(network: PreTrainedModel, pictures: int) -> list[int]:
    """Return how far each picture's next position is from its number of tokens."""
    offsets = network.base_model.rope_deltas if follows_the_shape(network) else None
    if offsets is None:
        return [0] * pictures
    given: list[int] = torch.as_tensor(offsets).flatten().tolist()
    return given


def go_on_from(network: PreTrainedModel, offset: int, device: torch.device) -> None:
    """Let a network continue a picture's positions, which it keeps itself, those of the last one.

    Without it ``generate`` goes on from one picture's cache with another's positions, silently.
    """
    if follows_the_shape(network):
        network.base_model.rope_deltas = torch.tensor([[offset]], device=device)
