"""A new model that goes on from the weights of another, at another size of images or its own."""

from __future__ import annotations

from typing import Final

import torch
from torch.nn.functional import interpolate
from transformers import BlipForQuestionAnswering, BlipProcessor

from shared.errors import InputError
from shared.vqa.loading import load_blip
from shared.vqa.quantization import Quantization
from trainer.pretraining.recipe import Shape
from trainer.pretraining.scratch import new_model, new_processor

POSITIONS: Final = "vision_model.embeddings.position_embedding"


def continued_model(
    start_from: str, shape: Shape
) -> tuple[BlipForQuestionAnswering, BlipProcessor]:
    """Return a model of ``shape`` with the weights and the vocabulary of ``start_from``.

    Raises:
        InputError: there is no such BLIP, or its shape is another.
    """
    loaded = load_blip(start_from, quantization=Quantization.NONE, device=torch.device("cpu"))
    model = new_model(shape, loaded.tokenizer)
    weights = {name: weight.float() for name, weight in loaded.blip.state_dict().items()}
    own = model.state_dict()
    if POSITIONS in weights:
        weights[POSITIONS] = resized_positions(weights[POSITIONS], own[POSITIONS].shape[1])
    other = sorted(
        name
        for name in own.keys() | weights.keys()
        if name not in own or name not in weights or own[name].shape != weights[name].shape
    )
    if other:
        raise InputError(
            f"{start_from}: of another shape than the recipe says ({other[0]} and "
            f"{len(other) - 1} other weights differ); set `shape` to its own, of which only "
            "image_size and dropout may differ"
        )
    model.load_state_dict(weights)
    return model, new_processor(shape, loaded.tokenizer)


def resized_positions(positions_1LD: torch.Tensor, length: int) -> torch.Tensor:
    """Return the places' vectors for ``length`` places, the class token's first, as it was.

    The places are a square, which is resized bicubically, as transformers does it.
    """
    if positions_1LD.shape[1] == length:
        return positions_1LD
    before, after = (round((count - 1) ** 0.5) for count in (positions_1LD.shape[1], length))
    square = positions_1LD[:, 1:].unflatten(1, (before, before)).permute(0, 3, 1, 2)
    resized = interpolate(square, size=(after, after), mode="bicubic", align_corners=False)
    patches = resized.permute(0, 2, 3, 1).flatten(1, 2)
    return torch.cat([positions_1LD[:, :1], patches], dim=1)
