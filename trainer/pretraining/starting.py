"""A new model that goes on from the weights of another, at another size of images or its own."""

from __future__ import annotations

from collections.abc import Mapping
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
_TOWER: Final = "vision_model."
_LAYERS: Final = "vision_model.encoder.layers."
_LAST_OF_A_LAYER: Final = (".self_attn.projection.", ".mlp.fc2.")
PATCHES: Final = "vision_model.embeddings.patch_embedding.weight"


def continued_model(
    start_from: str, shape: Shape, *, texts_anew: bool = False
) -> tuple[BlipForQuestionAnswering, BlipProcessor]:
    """Return a model of ``shape`` with the weights and the vocabulary of ``start_from``.

    Layers that its tower has not come last, and change nothing until they are trained. With
    ``texts_anew`` the tower alone goes on; the texts' weights are random.

    Raises:
        InputError: there is no such BLIP, or its shape is another.
    """
    loaded = load_blip(start_from, quantization=Quantization.NONE, device=torch.device("cpu"))
    model = new_model(shape, loaded.tokenizer)
    weights = {name: weight.float() for name, weight in loaded.blip.state_dict().items()}
    own = model.state_dict()
    if texts_anew:
        texts = {name: weight for name, weight in own.items() if not name.startswith(_TOWER)}
        weights = {name: each for name, each in weights.items() if name.startswith(_TOWER)} | texts
    weights |= _added_layers(weights, own)
    if POSITIONS in weights:
        weights[POSITIONS] = resized_positions(weights[POSITIONS], own[POSITIONS].shape[1])
        weights[PATCHES] = resized_patches(weights[PATCHES], own[PATCHES].shape[2])
    other = sorted(
        name
        for name in own.keys() | weights.keys()
        if name not in own or name not in weights or own[name].shape != weights[name].shape
    )
    if other:
        raise InputError(
            f"{start_from}: of another shape than the recipe says ({other[0]} and "
            f"{len(other) - 1} other weights differ); set `shape` to its own, of which only "
            "image_size, patch_size and dropout may differ, and vision_layers be more"
        )
    model.load_state_dict(weights)
    return model, new_processor(shape, loaded.tokenizer)


def _added_layers(
    weights: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Return weights of the tower layers that ``weights`` lacks: each adds nothing at first."""
    added = {name for name in own if name.startswith(_LAYERS) and name not in weights}
    return {
        name: torch.zeros_like(own[name])
        if any(last in name for last in _LAST_OF_A_LAYER)
        else own[name]
        for name in added
    }


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


def resized_patches(weight_DCHW: torch.Tensor, side: int) -> torch.Tensor:
    """Return what looks at patches of ``side`` pixels as ``weight_DCHW`` did at its own.

    A patch that is enlarged bilinearly gives what it gave: Beyer et al. 2023, "FlexiViT: One Model
    for All Patch Sizes", arXiv:2212.08013, section 3.4.
    """
    before = weight_DCHW.shape[2]
    if before == side:
        return weight_DCHW
    line = interpolate(torch.eye(before)[:, None], size=side, mode="linear")[:, 0]
    enlarged = torch.kron(line.T.contiguous(), line.T.contiguous())
    inverse: torch.Tensor = torch.linalg.pinv(enlarged)
    resized_DCL: torch.Tensor = weight_DCHW.flatten(2) @ inverse
    resized_DCHW: torch.Tensor = resized_DCL.unflatten(2, (side, side))
    return resized_DCHW
