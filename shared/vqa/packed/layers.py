"""Layers whose weights stay packed, and are unpacked for each product."""

from __future__ import annotations

from copy import copy
from typing import Any, cast

import torch
from torch.nn.functional import linear

from shared.vqa.packed.grid import Grid
from shared.vqa.packed.packing import packed, unpacked
from shared.vqa.packed.record import packed_length
from shared.vqa.packed.whole import PACKED_TENSORS


class _Packed(torch.nn.Module):
    """A weight ``(O, I)`` as packed codes, scales and zero points, all of them buffers."""

    def _hold(self, shape: tuple[int, int], bits: int, groups: int, dtype: torch.dtype) -> None:
        self.shape, self.bits, self.computed_in = shape, bits, dtype
        empty = torch.empty
        self.register_buffer("codes", empty(packed_length(shape, bits), dtype=torch.uint8))
        self.register_buffer("scales", empty((shape[0], groups), dtype=torch.float16))
        self.register_buffer("zeros", empty((shape[0], groups), dtype=torch.float16))

    def take(self, grid: Grid, codes_OI: torch.Tensor) -> None:
        """Hold these codes on this grid."""
        self.codes = packed(codes_OI, grid.bits)
        self.scales, self.zeros = grid.scales_OG, grid.zeros_OG

    @property
    def grid(self) -> Grid:
        """The grid that the codes are of."""
        return Grid(self.bits, self.scales, self.zeros)

    def exactly(self) -> torch.Tensor:
        """Return the weight ``(O, I)`` that the codes stand for, in float32."""
        return self.grid.weight(unpacked(self.codes, self.bits, self.shape))

    def unpacked_weight(self) -> torch.Tensor:
        """Return the weight ``(O, I)`` as it is computed with."""
        return self.exactly().to(self.computed_in)


class PackedLinear(torch.nn.Linear, _Packed):
    """A linear layer whose ``weight`` is unpacked whenever it is looked at.

    It is a ``torch.nn.Linear`` for all who ask, so that peft puts adapters on it.
    """

    def __init__(
        self, shape: tuple[int, int], bits: int, groups: int, dtype: torch.dtype, *, bias: bool
    ) -> None:
        # Linear's own would make a weight that is not packed.
        torch.nn.Module.__init__(self)
        self.out_features, self.in_features = shape
        self._hold(shape, bits, groups, dtype)
        held = torch.nn.Parameter(torch.empty(shape[0], dtype=dtype)) if bias else None
        self.register_parameter("bias", held)

    @property
    def weight(self) -> torch.Tensor:  # type: ignore[override] # torch's is an attribute
        """The weight ``(O, I)``, unpacked."""
        return self.unpacked_weight()

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Return ``states W' + b``; the weight is not kept for the backward pass."""
        product = cast("torch.Tensor", _Product.apply(states, self))
        return product if self.bias is None else product + self.bias


class PackedEmbedding(torch.nn.Embedding, _Packed):
    """A table of embeddings, of which the rows that are asked for are unpacked.

    A row has to fill whole bytes: its length is a multiple of eight. What a network has in the
    place of a plain table, such as one that scales its rows, goes on doing it (``packed_table``).
    """

    _is_asked = False

    @property
    def weight(self) -> torch.Tensor:  # type: ignore[override] # torch's is an attribute
        """The table, unpacked; none of its rows while a row is asked for."""
        if self._is_asked:
            # Some only look at its type then, for which not all of it is to be unpacked.
            return self.scales.new_empty((0, self.embedding_dim), dtype=self.computed_in)
        return self.unpacked_weight()

    def __call__(self, *args: Any, **named: Any) -> Any:  # noqa: ANN401 (as the kind's own forward)
        """Return the rows of some ids, as the kind of table makes them."""
        self._is_asked = True
        try:
            return super().__call__(*args, **named)
        finally:
            self._is_asked = False

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the rows of these ids."""
        rows, width = self.codes.view(self.num_embeddings, -1), self.embedding_dim
        asked = ids.flatten()
        codes = unpacked(rows[asked].flatten(), self.bits, (len(asked), width))
        grid = Grid(self.bits, self.scales[asked], self.zeros[asked])
        return grid.weight(codes).to(self.computed_in).view(*ids.shape, width)


def packed_table(
    table: torch.nn.Embedding, bits: int, groups: int, dtype: torch.dtype
) -> PackedEmbedding:
    """Return a table of the kind of ``table``, without its rows, that holds packed ones."""
    kind = type(table)
    packed_kind = (
        PackedEmbedding
        if kind is torch.nn.Embedding
        # Its own forward comes first, and calls PackedEmbedding's where it called Embedding's.
        else type(f"Packed{kind.__name__}", (kind, PackedEmbedding), {})
    )
    made = cast("PackedEmbedding", object.__new__(packed_kind))
    made.__dict__.update(_own_state(table))
    shape = (table.num_embeddings, table.embedding_dim)
    made._hold(shape, bits, groups, dtype)  # noqa: SLF001 (of this module)
    return made


def unpacked_table(table: PackedEmbedding) -> torch.nn.Embedding:
    """Return a table of the kind that was packed, with the rows that the codes stand for."""
    kind = next(kind for kind in type(table).__mro__ if not issubclass(kind, PackedEmbedding))
    made = cast("torch.nn.Embedding", object.__new__(kind))
    made.__dict__.update(_own_state(table))
    for name in PACKED_TENSORS:
        delattr(made, name)
    made.weight = torch.nn.Parameter(table.unpacked_weight(), requires_grad=False)
    return made


def _own_state(table: torch.nn.Embedding) -> dict[str, Any]:
    """Return all that a table keeps but its rows."""
    kept = {
        name: copy(value) if isinstance(value, dict) else value
        for name, value in table.__dict__.items()
    }
    kept["_parameters"].pop("weight", None)
    return kept


class _Product(torch.autograd.Function):
    """``states W'``: for its gradient the weight is unpacked again rather than kept."""

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, layer: PackedLinear) -> torch.Tensor:  # noqa: ANN401
        ctx.layer = layer
        return linear(states, layer.unpacked_weight().to(states.dtype))

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:  # noqa: ANN401
        return gradient @ ctx.layer.unpacked_weight().to(gradient.dtype), None


def packed_linear(layer: torch.nn.Linear, grid: Grid, codes_OI: torch.Tensor) -> PackedLinear:
    """Return ``layer`` with its weight as these codes; its bias stays."""
    weight = layer.weight
    made = PackedLinear(
        (layer.out_features, layer.in_features),
        grid.bits,
        grid.scales_OG.shape[1],
        weight.dtype,
        bias=layer.bias is not None,
    ).to(weight.device)
    made.take(grid, codes_OI)
    if layer.bias is not None:
        made.bias = layer.bias
    return made


def packed_embedding(
    layer: torch.nn.Embedding, grid: Grid, codes_OI: torch.Tensor
) -> PackedEmbedding:
    """Return the table ``layer`` as these codes."""
    weight = layer.weight
    made = packed_table(layer, grid.bits, grid.scales_OG.shape[1], weight.dtype).to(weight.device)
    made.take(grid, codes_OI)
    return made
