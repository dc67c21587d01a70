"""What is computed once of a picture: its tokens, and what tower and projector make of it.

Networks of transformers take that in the place of pixels (``mm_encoder_outputs``).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from shared.vqa.chat.abilities import follows_the_shape
from shared.vqa.chat.features import image_features
from shared.vqa.chat.prompt import Prefix

BY_TOKEN, OF_SHAPE, LEVEL = "by_token", "of_shape", "level"


@dataclass(frozen=True, slots=True)
class SeenPicture:
    """A picture as a language model reads it.

    ``ids_P`` is all that stands before a question, ``by_token`` what else the processor says of
    each of these tokens ``(P,)``, and ``of_shape`` what it says of the picture's shape where
    positions follow that. ``image`` goes into the places of the image tokens, ``(L, D)``, or
    ``(tiles, L, D)``, as the network hands it on; ``levels`` are what a tower adds to deeper
    layers, ``(L, D)`` each.
    """

    ids_P: torch.Tensor
    by_token: Mapping[str, torch.Tensor]
    of_shape: Mapping[str, torch.Tensor]
    image: torch.Tensor
    levels: tuple[torch.Tensor, ...] = ()

    @property
    def tensors(self) -> dict[str, torch.Tensor]:
        """Return everything, by name."""
        return {
            "ids": self.ids_P,
            "image": self.image,
            **{f"{BY_TOKEN}.{name}": value for name, value in self.by_token.items()},
            **{f"{OF_SHAPE}.{name}": value for name, value in self.of_shape.items()},
            **{f"{LEVEL}.{number}": value for number, value in enumerate(self.levels)},
        }

    @property
    def prefix(self) -> Prefix:
        """Return what stands before every question, as the processor returned it."""
        by_token = {name: value[None] for name, value in self.by_token.items()}
        return Prefix(tuple(self.ids_P.tolist()), {**by_token, **self.of_shape})

    @classmethod
    def of(cls, tensors: Mapping[str, torch.Tensor]) -> SeenPicture:
        """Return what ``tensors`` was asked of."""
        levels = _group(tensors, LEVEL)
        return cls(
            tensors["ids"],
            _group(tensors, BY_TOKEN),
            _group(tensors, OF_SHAPE),
            tensors["image"],
            tuple(levels[str(number)] for number in range(len(levels))),
        )


@dataclass(slots=True)
class ImageOutputs:
    """What a network asks of its own ``get_image_features``."""

    pooler_output: torch.Tensor | list[torch.Tensor]
    deepstack_features: list[list[torch.Tensor]] | None = None


def see(network: PreTrainedModel, inputs: Mapping[str, Any]) -> SeenPicture:
    """Run tower and projector, differentiably.

    Args:
        network: an image-text-to-text decoder.
        inputs: of one picture, with the tokens before a question, on the network's device.
    """
    outputs = image_features(network, inputs)
    image, ids_1P = outputs.pooler_output, inputs["input_ids"]
    levels = getattr(outputs, "deepstack_features", None) or ()
    beside = {name: value for name, value in inputs.items() if name not in _IDS_AND_MASK}
    return SeenPicture(
        ids_1P[0],
        {name: value[0] for name, value in beside.items() if _is_by_token(value, ids_1P)},
        {name: value for name, value in beside.items() if name in _shape_names(network)},
        image if isinstance(image, torch.Tensor) else torch.cat(list(image)),
        tuple(torch.cat(list(level)) for level in levels),
    )


def positions_of(network: PreTrainedModel, seen: SeenPicture) -> torch.Tensor:
    """Return where the tokens before a question stand, ``(X, P)``."""
    if not follows_the_shape(network):
        return torch.arange(len(seen.ids_P), device=seen.ids_P.device)[None]
    by_token = {name: value[None] for name, value in seen.by_token.items()}
    takes = inspect.signature(network.base_model.get_rope_index).parameters
    positions_X1P, _ = network.base_model.get_rope_index(
        seen.ids_P[None],
        **{name: value for name, value in by_token.items() if name in takes},
        **seen.of_shape,
    )
    positions_XP: torch.Tensor = positions_X1P[:, 0]
    return positions_XP


def encoder_outputs(seen: Sequence[SeenPicture]) -> dict[str, ImageOutputs]:
    """Return pictures, in the order of their rows, as a network takes them for its own outputs."""
    images = [picture.image for picture in seen]
    in_tiles = images[0].ndim > 2  # noqa: PLR2004 (tiles, tokens, width)
    levels = [[picture.levels[at] for picture in seen] for at, _ in enumerate(seen[0].levels)]
    return {"image": ImageOutputs(torch.cat(images) if in_tiles else images, levels or None)}


_IDS_AND_MASK = frozenset({"input_ids", "attention_mask", "labels"})


def _shape_names(network: PreTrainedModel) -> frozenset[str]:
    """Return the names of what positions and the tower both follow: the grids of pictures."""
    if not follows_the_shape(network):
        return frozenset()
    inner = network.base_model
    tower, positions = (
        inspect.signature(function).parameters
        for function in (inner.get_image_features, inner.get_rope_index)
    )
    return frozenset(tower) & frozenset(positions) - {"kwargs"}


def _is_by_token(value: object, ids_1P: torch.Tensor) -> bool:
    return isinstance(value, torch.Tensor) and value.shape == ids_1P.shape


def _group(tensors: Mapping[str, torch.Tensor], group: str) -> dict[str, torch.Tensor]:
    named = (name.partition(".") for name in tensors)
    return {own: tensors[f"{group}.{own}"] for of, _, own in named if of == group}
