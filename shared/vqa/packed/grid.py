"""The grid that weights are rounded to: a scale and a zero point for each group of a row.

A weight becomes ``code = round(weight / scale + zero)``, clipped to the codes that the bits have,
and is read again as ``(code - zero) * scale``. Scale and zero point are kept in 16 bits.
"""

from __future__ import annotations

from typing import Final

import torch

from shared.value_class import value_class

LARGEST_GROUP: Final = 64
"""Weights that share a scale: NF4's own number, and the one that HQQ's figures are given for."""
_SMALLEST_SCALE: Final = 2.0**-14
"""The least normal number of 16 bits; a group of zeros has no scale of its own."""
_SHRINK_NORM, _SHRINK_START, _SHRINK_GROWTH, _SHRINK_STEPS = 0.7, 10.0, 1.01, 20
"""HQQ's own settings."""


@value_class
class Grid:
    """Scales and zero points of a weight's groups, both ``(O, G)`` in float16."""

    bits: int
    scales_OG: torch.Tensor
    zeros_OG: torch.Tensor

    @property
    def highest(self) -> int:
        """The largest code."""
        return (1 << self.bits) - 1

    def codes(self, weight_OI: torch.Tensor) -> torch.Tensor:
        """Return the nearest codes, ``(O, I)`` in uint8."""
        groups_OGI = grouped(weight_OI, self.scales_OG.shape[1])
        codes = groups_OGI / self.scales_OG.float()[..., None] + self.zeros_OG.float()[..., None]
        return codes.round().clamp(0, self.highest).to(torch.uint8).flatten(1)

    def weight(self, codes_OI: torch.Tensor) -> torch.Tensor:
        """Return what codes stand for, ``(O, I)`` in float32."""
        groups_OGI = grouped(codes_OI.float(), self.scales_OG.shape[1])
        groups_OGI -= self.zeros_OG.float()[..., None]
        groups_OGI *= self.scales_OG.float()[..., None]
        return groups_OGI.flatten(1)


def group_size(inputs: int, largest: int = LARGEST_GROUP) -> int:
    """Return how many weights of a row share a scale: the largest divisor that is allowed."""
    return next(size for size in range(min(largest, inputs), 0, -1) if inputs % size == 0)


def grouped(weight_OI: torch.Tensor, groups: int) -> torch.Tensor:
    """Return a weight's rows in groups, ``(O, G, I / G)``."""
    groups_OGI: torch.Tensor = weight_OI.unflatten(1, (groups, -1))
    return groups_OGI


def spanned(weight_OI: torch.Tensor, bits: int, size: int) -> Grid:
    """Return the grid from each group's least to its largest weight: plain round-to-nearest."""
    groups_OGI = grouped(weight_OI.float(), weight_OI.shape[1] // size)
    low, high = groups_OGI.amin(-1), groups_OGI.amax(-1)
    scales = ((high - low) / (2**bits - 1)).clamp(min=_SMALLEST_SCALE).half()
    return Grid(bits, scales, (-low / scales.float()).half())


def half_quadratic(weight_OI: torch.Tensor, bits: int, size: int) -> Grid:
    """Return the grid whose zero points leave a sparse error, without any data.

    Half-quadratic quantisation (HQQ): Badri and Shaji 2023, "Half-Quadratic Quantization of Large
    Machine Learning Models"; error and zero point in turns, by a generalised soft threshold,
    until the error grows.
    """
    grid = spanned(weight_OI, bits, size)
    groups_OGI = grouped(weight_OI.float(), weight_OI.shape[1] // size)
    scales, zeros = grid.scales_OG.float()[..., None], grid.zeros_OG.float()[..., None]
    strength, best = _SHRINK_START, torch.full_like(scales, torch.inf)
    kept, before = zeros, torch.inf
    for _ in range(_SHRINK_STEPS):
        codes = (groups_OGI / scales + zeros).round().clamp(0, grid.highest)
        error = groups_OGI - (codes - zeros) * scales
        lost = error.abs().mean(-1, keepdim=True)
        if float(lost.mean()) >= before:
            break
        before = float(lost.mean())
        kept, best = torch.where(lost < best, zeros, kept), torch.minimum(lost, best)
        size_of = error.abs()
        by = size_of.clamp(min=1e-8).pow(_SHRINK_NORM - 1) / strength
        sparse = error.sign() * (size_of - by).clamp(min=0)
        zeros = (codes - (groups_OGI - sparse) / scales).mean(-1, keepdim=True)
        strength *= _SHRINK_GROWTH
    return Grid(bits, grid.scales_OG, kept[..., 0].half())
