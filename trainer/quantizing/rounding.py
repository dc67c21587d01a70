"""Ways to round a part: to the nearest, by HQQ, or against what the inputs were (GPTQ).

GPTQ: Frantar et al. 2022, arXiv:2210.17323. Columns are rounded one after the other, those with the
largest inputs first, each error made up for by the columns that are left. Deviations: the grid of
each group is HQQ's, fixed beforehand; the inputs are those of the exact model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Final

import torch
from transformers import PreTrainedModel

from shared.vqa.packed.grid import Grid, half_quadratic, spanned
from trainer.quantizing.parts import Part

_DAMPING: Final = 0.01
"""GPTQ's own: this share of the mean of the diagonal is added to it."""


class Method(StrEnum):
    """How weights are rounded."""

    NEAREST = "nearest"
    HQQ = "hqq"
    GPTQ = "gptq"


class InputSums:
    """Sums ``X' X`` of the inputs of each linear layer, ``(I, I)`` in float32."""

    def __init__(self) -> None:
        self._sums: dict[str, torch.Tensor] = {}

    def of(self, part: Part) -> torch.Tensor | None:
        """Return the sum over all layers that share a part; ``None`` where none multiplies."""
        sums = [self._sums[name] for name in part.names if name in self._sums]
        return torch.stack(sums).sum(0) if sums else None

    @contextmanager
    def watching(self, network: PreTrainedModel, parts: Sequence[Part]) -> Iterator[None]:
        """Add up what goes into the linear layers of ``parts`` during the block."""
        hooks = [
            layer.register_forward_hook(self._adder(name))
            for part in parts
            for name in part.names
            if isinstance(layer := network.get_submodule(name), torch.nn.Linear)
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _adder(self, name: str) -> Any:  # noqa: ANN401 (torch's type of a hook is private)
        def add(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...], __: torch.Tensor) -> None:
            rows = inputs[0].detach().flatten(0, -2).float()
            product = rows.T @ rows
            self._sums[name] = self._sums[name] + product if name in self._sums else product

        return add


@torch.no_grad()
def rounded(
    weight_OI: torch.Tensor, part: Part, bits: int, method: Method, inputs_II: torch.Tensor | None
) -> tuple[Grid, torch.Tensor]:
    """Return a grid and the codes of a weight on it; without inputs, GPTQ is HQQ."""
    weight_OI = weight_OI.detach().float()
    if method is Method.NEAREST:
        grid = spanned(weight_OI, bits, part.group)
        return grid, grid.codes(weight_OI)
    grid = half_quadratic(weight_OI, bits, part.group)
    if method is Method.HQQ or inputs_II is None:
        return grid, grid.codes(weight_OI)
    return grid, _compensated(weight_OI, grid, inputs_II)


def _compensated(weight_OI: torch.Tensor, grid: Grid, inputs_II: torch.Tensor) -> torch.Tensor:
    size = weight_OI.shape[1] // grid.scales_OG.shape[1]
    sums = inputs_II.clone()
    diagonal = sums.diagonal()
    # An input that was always zero says nothing of its column.
    diagonal[diagonal == 0] = 1
    diagonal += _DAMPING * diagonal.mean()
    order = diagonal.argsort(descending=True, stable=True)
    sums = sums[order][:, order]
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(sums))
    upper = torch.linalg.cholesky(inverse, upper=True)
    left = weight_OI[:, order].clone()
    codes_OI = torch.empty_like(weight_OI, dtype=torch.uint8)
    for column, place in enumerate(order.tolist()):
        scale = grid.scales_OG[:, place // size].float()
        zero = grid.zeros_OG[:, place // size].float()
        wanted = left[:, column]
        codes = (wanted / scale + zero).round().clamp(0, grid.highest)
        codes_OI[:, place] = codes.to(torch.uint8)
        error = (wanted - (codes - zero) * scale) / upper[column, column]
        left[:, column + 1 :] -= error[:, None] * upper[column, column + 1 :]
    return codes_OI
