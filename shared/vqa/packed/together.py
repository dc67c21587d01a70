"""Packed layers that are rounded together with their adapter, as both are once they are merged.

Quantisation-aware LoRA: the layer computes with ``Q(W + BA)`` on the grid of its packed weight, and
its gradient passes the rounding as if that were not there (straight through: Bengio et al. 2013,
arXiv:1308.3432), but for weights that lie outside the grid by more than half a step.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MethodType
from typing import Any, Final

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch.nn.functional import linear

from shared.vqa.packed.grid import Grid, grouped
from shared.vqa.packed.layers import PackedLinear

_HALF: Final = 0.5
"""Of a step: what is rounded to the last code of a grid without being cut."""


class _Rounded(torch.autograd.Function):
    """A weight ``(O, I)`` as its codes on a grid stand for it."""

    @staticmethod
    def forward(ctx: Any, weight_OI: torch.Tensor, grid: Grid) -> torch.Tensor:  # noqa: ANN401
        ctx.save_for_backward(_within_reach(weight_OI, grid))
        return grid.weight(grid.codes(weight_OI))

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:  # noqa: ANN401
        (within,) = ctx.saved_tensors
        return gradient * within, None


def _within_reach(weight_OI: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Return which weights are no more than half a step outside their grid, ``(O, I)``."""
    groups_OGI = grouped(weight_OI, grid.scales_OG.shape[1])
    codes = groups_OGI / grid.scales_OG.float()[..., None] + grid.zeros_OG.float()[..., None]
    return ((codes >= -_HALF) & (codes <= grid.highest + _HALF)).flatten(1)


def packed_with_adapter(peft: PeftModel) -> Iterator[tuple[str, LoraLayer, PackedLinear]]:
    """Yield the packed layers that have an adapter, by the names that they have in the base."""
    for name, layer in peft.get_base_model().named_modules():
        if isinstance(layer, LoraLayer) and isinstance(layer.get_base_layer(), PackedLinear):
            yield name, layer, layer.get_base_layer()


def round_together(peft: PeftModel) -> None:
    """Have every packed layer rounded together with its adapter from now on, in place.

    With the adapter switched off, a layer is the base's own. Its dropout is left out: there is no
    rounding of a weight of which another part is missing for each input.
    """
    for _, layer, _ in packed_with_adapter(peft):
        layer.forward = MethodType(_forward, layer)


def _forward(layer: LoraLayer, states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:  # noqa: ANN401
    base = layer.get_base_layer()
    if layer.disable_adapters:
        result: torch.Tensor = base(states)
        return result
    weight = _Rounded.apply(sum_of(layer, base), base.grid).to(base.computed_in)
    return linear(states, weight.to(states.dtype), base.bias)


def sum_of(layer: LoraLayer, base: PackedLinear) -> torch.Tensor:
    """Return ``W + BA`` of a layer and its active adapters before it is rounded, in float32."""
    weight_OI = base.exactly()
    for name in layer.active_adapters:
        if name in layer.lora_A:
            update = layer.lora_B[name].weight.float() @ layer.lora_A[name].weight.float()
            weight_OI = weight_OI + layer.scaling[name] * update
    return weight_OI


@torch.no_grad()
def take_adapter(peft: PeftModel) -> None:
    """Have every packed layer hold its weight with its adapter's, on the same grid, in place."""
    for _, layer, base in packed_with_adapter(peft):
        base.take(base.grid, base.grid.codes(sum_of(layer, base)))
