"""Codes of 2, 3, 4 or 8 bits in bytes, without a bit between them: eight codes fill whole bytes."""

from __future__ import annotations

from typing import Final

import torch

BITS: Final = (2, 3, 4, 8)
_TOGETHER: Final = 8
"""Codes that fill as many bytes as each has bits."""


def packed(codes_OI: torch.Tensor, bits: int) -> torch.Tensor:
    """Return codes below ``2 ** bits`` as bytes: uint8, ``ceil(O I / 8) bits`` of them.

    The first code has the lowest bits; what is missing to eight codes is filled with zeros.
    """
    codes = codes_OI.flatten()
    codes = torch.nn.functional.pad(codes, (0, -len(codes) % _TOGETHER)).view(-1, _TOGETHER)
    places = torch.arange(_TOGETHER, device=codes.device) * bits
    words = (codes.long() << places).sum(1, keepdim=True)
    return ((words >> _byte_places(bits, codes.device)) & 0xFF).to(torch.uint8).flatten()


def unpacked(bytes_: torch.Tensor, bits: int, shape: tuple[int, int]) -> torch.Tensor:
    """Return the codes of ``packed`` again, ``(O, I)`` in uint8."""
    if bits == _TOGETHER:
        return bytes_[: shape[0] * shape[1]].view(shape)
    if bits in (2, 4):
        places = torch.arange(0, 8, bits, dtype=torch.uint8, device=bytes_.device)
        codes = (bytes_[:, None] >> places) & (2**bits - 1)
    else:
        words = (bytes_.view(-1, bits).int() << _byte_places(bits, bytes_.device).int()).sum(1)
        places = torch.arange(_TOGETHER, device=bytes_.device) * bits
        codes = ((words[:, None] >> places) & (2**bits - 1)).to(torch.uint8)
    filled: torch.Tensor = codes.flatten()[: shape[0] * shape[1]]
    return filled.view(shape)


def packed_length(shape: tuple[int, int], bits: int) -> int:
    """Return how many bytes ``packed`` makes of codes of this shape."""
    return -(-shape[0] * shape[1] // _TOGETHER) * bits


def _byte_places(bits: int, device: torch.device) -> torch.Tensor:
    return torch.arange(bits, device=device) * 8
