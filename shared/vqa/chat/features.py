"""A picture's features, as the language model reads them: vision tower and projector, run once."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from transformers import BatchFeature, PreTrainedModel
from transformers.utils import ModelOutput

from shared.vqa.chat.abilities import IMAGE_FEATURES

Features = Any
"""A model's own output of ``get_image_features``; ``pooler_output`` is what takes the places of the
image tokens."""

ENCODED: Final = "mm_encoder_outputs"
"""Under which a network takes features in the place of pixels."""
READ: Final = ("pooler_output", "deepstack_features")
"""What the language model reads of features."""


def on_device(
    network: PreTrainedModel, inputs: Mapping[str, Any], device: torch.device
) -> dict[str, Any]:
    """Return all that a processor returned and the network has a place for, on its device."""
    taken = BatchFeature(dict(inputs)).to(device, network.dtype)
    names = names_taken(network)
    return {name: value for name, value in taken.items() if name in names}


def names_taken(network: PreTrainedModel) -> frozenset[str]:
    """Return the names of inputs that ``generate`` hands on; it raises over others."""
    functions = (network.forward, network.prepare_inputs_for_generation)
    return frozenset(
        name for function in functions for name in inspect.signature(function).parameters
    )


def image_features(network: PreTrainedModel, inputs: Mapping[str, Any]) -> Features:
    """Run vision tower and projector over the pictures of ``inputs``, unless these are known.

    The encoder takes what it has a parameter for, as in transformers' own ``generate``.
    """
    if ENCODED in inputs:
        return inputs[ENCODED]["image"]
    encode = getattr(network.base_model, IMAGE_FEATURES)
    takes = inspect.signature(encode).parameters
    own = {name: value for name, value in inputs.items() if name in takes and name != "kwargs"}
    return encode(**own, return_dict=True)


def kept(features: Features) -> Features:
    """Return what the language model reads of features, without what the tower held besides.

    It is copied: where it was made, it keeps the memory below it, 20 to 40 MB of the tower of
    SmolVLM2-256M, from being given back. It is a new output: one whose attribute is set to None
    keeps the tensor as an item (transformers 5.23, ``ModelOutput``).
    """
    if not isinstance(features, ModelOutput):
        return features
    return type(features)(**{name: _copied(features[name]) for name in READ if name in features})


def _copied(value: object) -> object:
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, (list, tuple)):
        return type(value)(_copied(part) for part in value)
    return value


def is_of_pixels(name: str, value: object) -> bool:
    """Return whether an input is pixels, or a mask over them, which a tower alone reads."""
    return isinstance(value, torch.Tensor) and (value.is_floating_point() or "pixel" in name)


def without_pixels(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs that stand beside features; sizes and grids still tell where a picture is."""
    return {
        name: value
        for name, value in inputs.items()
        if name != ENCODED and not is_of_pixels(name, value)
    }


def can_be_repeated(features: Features) -> bool:
    """Return whether ``repeated`` knows all that the language model reads of these features."""
    return getattr(features, "deepstack_features", None) is None


def repeated(features: Features, times: int) -> Features:
    """Return one picture's features for several rows, each with the picture in it."""
    copied = copy.copy(features)
    pooled = features.pooler_output
    copied.pooler_output = (
        pooled.repeat(times, *(1 for _ in pooled.shape[1:]))
        if isinstance(pooled, torch.Tensor)
        else [*pooled] * times
    )
    return copied


def together(inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the inputs of several pictures of one shape as those of one batch."""
    return {
        name: {"image": joined([one[name]["image"] for one in inputs])}
        if name == ENCODED
        else torch.cat([one[name] for one in inputs])
        for name in inputs[0]
    }


def joined(features: Sequence[Features]) -> Features:
    """Return the features of several pictures, in the order of their rows, as those of a batch."""
    whole = copy.copy(features[0])
    pooled = [one.pooler_output for one in features]
    whole.pooler_output = (
        torch.cat(pooled)
        if isinstance(pooled[0], torch.Tensor)
        else [image for images in pooled for image in images]
    )
    if getattr(whole, "deepstack_features", None) is not None:
        levels = zip(*(one.deepstack_features for one in features), strict=True)
        whole.deepstack_features = [[part for parts in level for part in parts] for level in levels]
    return whole


def pixels_in(inputs: Mapping[str, Any]) -> int:
    """Return how many numbers a vision tower reads."""
    return sum(
        value.numel()
        for value in inputs.values()
        if isinstance(value, torch.Tensor) and value.is_floating_point()
    )


def of_one_shape(inputs: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether pictures' inputs can stand in one batch without padding."""
    shapes = [
        {
            name: value.shape if name == "input_ids" else value.shape[1:]
            for name, value in one.items()
            if name != ENCODED
        }
        for one in inputs
    ]
    return all(shape == shapes[0] for shape in shapes)
