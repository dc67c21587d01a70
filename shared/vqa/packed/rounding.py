"""Rounds the layers of a loaded network, in place."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from transformers import PreTrainedModel
from transformers.quantizers.base import get_keys_to_not_convert

from shared.vqa.packed.grid import group_size, half_quadratic
from shared.vqa.packed.layers import PackedLinear, packed_linear


def linear_layers(network: PreTrainedModel) -> Iterator[tuple[str, torch.nn.Linear]]:
    """Yield the linear layers that quantisers round, by name: all but the one that says the answer.

    Those that transformers' own quantisers take.
    """
    kept = get_keys_to_not_convert(network)
    for name, layer in network.named_modules():
        if isinstance(layer, torch.nn.Linear) and not any(
            name == key or name.startswith(f"{key}.") for key in kept
        ):
            yield name, layer


@torch.no_grad()
def round_half_quadratic(network: PreTrainedModel, bits: int) -> None:
    """Round every linear layer to ``bits`` by HQQ, in place, and pack it."""
    for name, layer in list(linear_layers(network)):
        grid = half_quadratic(layer.weight, bits, group_size(layer.in_features))
        network.set_submodule(name, packed_linear(layer, grid, grid.codes(layer.weight)))


def is_packed(network: torch.nn.Module) -> bool:
    """Return whether a network has packed layers."""
    return any(isinstance(layer, PackedLinear) for layer in network.modules())
