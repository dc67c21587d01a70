"""The parts of a network that are rounded: linear layers and large tables, each weight once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import torch
from transformers import PreTrainedModel

from shared.vqa.packed.grid import Grid, group_size
from shared.vqa.packed.layers import PackedEmbedding, PackedLinear, packed_embedding, packed_linear
from shared.vqa.packed.record import packed_length

BITS: Final = (2, 3, 4, 8)
WHOLE: Final = 16
"""Bits of a weight that is not rounded."""
LARGEST_GROUP: Final = 128
"""Weights that share a scale: at 2 bits, the scales of groups of 64 take a fifth of the bytes."""
_SMALLEST_TABLE: Final = 64
"""Rows of a table that is worth rounding."""
_BYTE: Final = 8
_SCALE_BYTES: Final = 4
"""A scale and a zero point of 16 bits."""


@dataclass(frozen=True, slots=True)
class Part:
    """A weight ``(outputs, inputs)`` and the layers that have it."""

    names: tuple[str, ...]
    shape: tuple[int, int]
    group: int

    @property
    def name(self) -> str:
        """The name of its first layer."""
        return self.names[0]

    @property
    def weights(self) -> int:
        """How many weights it has."""
        return self.shape[0] * self.shape[1]

    def bytes_at(self, bits: int) -> int:
        """Return what it takes in so many bits, scales included."""
        if bits == WHOLE:
            return 2 * self.weights
        scales = self.shape[0] * (self.shape[1] // self.group) * _SCALE_BYTES
        return packed_length(self.shape, bits) + scales


def parts_of(network: PreTrainedModel, largest_group: int = LARGEST_GROUP) -> tuple[Part, ...]:
    """Return the parts of a network in the order of their names in it.

    A table that is not worth rounding is none, nor is the layer that shares its weight.
    """
    layers: dict[int, list[str]] = {}
    left_out: set[int] = set()
    for name, layer in network.named_modules():
        # Other kinds of Linear than its own are read past their forward, as in MultiheadAttention.
        if type(layer) is torch.nn.Linear or isinstance(layer, torch.nn.Embedding):
            layers.setdefault(id(layer.weight), []).append(name)
            if isinstance(layer, torch.nn.Embedding) and not _is_worth_it(layer):
                left_out.add(id(layer.weight))
    return tuple(
        _part(network, names, largest_group)
        for weight, names in layers.items()
        if weight not in left_out
    )


def _part(network: PreTrainedModel, names: list[str], largest_group: int) -> Part:
    outputs, inputs = network.get_submodule(names[0]).weight.shape
    return Part(tuple(names), (outputs, inputs), group_size(inputs, largest_group))


def _is_worth_it(table: torch.nn.Embedding) -> bool:
    # A packed table unpacks rows of whole bytes alone.
    return table.num_embeddings >= _SMALLEST_TABLE and table.embedding_dim % _BYTE == 0


def put(network: PreTrainedModel, part: Part, grid: Grid, codes_OI: torch.Tensor) -> None:
    """Put packed layers in the place of a part's own; all of them hold the same tensors."""
    first: PackedLinear | PackedEmbedding | None = None
    for name in part.names:
        layer = network.get_submodule(name)
        table = isinstance(layer, torch.nn.Embedding)
        made: PackedLinear | PackedEmbedding = (
            packed_embedding(layer, grid, codes_OI)
            if table
            else packed_linear(layer, grid, codes_OI)
        )
        if first is not None:
            made.codes, made.scales, made.zeros = first.codes, first.scales, first.zeros
        first = first or made
        network.set_submodule(name, made)


@contextmanager
def rounded_alone(
    network: PreTrainedModel, part: Part, grid: Grid, codes_OI: torch.Tensor
) -> Iterator[None]:
    """Have one part rounded for the time of the block."""
    before = {name: network.get_submodule(name) for name in part.names}
    put(network, part, grid, codes_OI)
    try:
        yield
    finally:
        for name, layer in before.items():
            network.set_submodule(name, layer)
