"""NF4 layers on a CPU whose rows are not whole blocks, computed with the weights that are stored.

bitsandbytes 0.50.2 rounds a weight in blocks of 64 that run across rows, and reads it on a CPU as
if each row began a block: where a row's width is no multiple of 64, as in blip-vqa-tiny, rows get
each other's scales, and the error is 0.25 of the weight instead of 0.09
(``findings/bitsandbytes-nf4-rows-that-are-not-whole-blocks.sh``).
"""

from __future__ import annotations

from copy import copy
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from torch import nn
from torch.nn.functional import linear


class BlocksAcrossRows(Linear4bit):
    """Read as it is stored: one run of blocks."""

    def weight_as_stored(self) -> torch.Tensor:
        """Return the weight ``(out, in)`` in the dtype that it had before it was rounded."""
        state = copy(self.weight.quant_state)
        out, width = state.shape
        blocks, rest = divmod(out * width, state.blocksize)
        state.shape = (1, out * width) if rest else (blocks, state.blocksize)
        weight: torch.Tensor = dequantize_4bit(self.weight.data.view(-1, 1), state)
        return weight.view(out, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``x`` times the weight, in the dtype of ``x``."""
        dtype = x.dtype if self.compute_dtype is None else self.compute_dtype
        bias = None if self.bias is None else self.bias.to(dtype)
        return linear(x.to(dtype), self.weight_as_stored().to(dtype), bias).to(x.dtype)


def read_blocks_as_stored(network: nn.Module) -> None:
    """Mend, in place, the layers of a network on a CPU that would be read wrongly."""
    for module in network.modules():
        if type(module) is Linear4bit and module.weight.device.type == "cpu":
            state: Any = module.weight.quant_state  # type: ignore[attr-defined]
            if state.shape[-1] % state.blocksize:
                module.__class__ = BlocksAcrossRows
