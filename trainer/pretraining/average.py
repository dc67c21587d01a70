"""The moving average of a model's weights, which is what gets evaluated and kept."""

from __future__ import annotations

import copy
from typing import Final, Generic, TypeVar

import torch
from torch import nn

_SLOW_START: Final = 10
"""Steps after which the average still moves by half."""


Network = TypeVar("Network", bound=nn.Module)


class WeightAverage(Generic[Network]):
    """Exponential moving average of a model's weights (Polyak and Juditsky 1992)."""

    def __init__(self, model: Network, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
        self._decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, steps: int) -> None:
        """Move a small step towards ``model`` after ``steps`` steps; larger ones at the start."""
        decay = min(self._decay, steps / (steps + _SLOW_START))
        for mean, weight in zip(self.model.parameters(), model.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)
