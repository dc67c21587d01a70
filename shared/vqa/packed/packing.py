"""Codes of 2, 3, 4 or 8 bits in bytes, without a bit between them: eight codes fill whole bytes."""

from __future__ import annotations

from typing import Final

import torch

from shared.vqa.packed.record import CODES_TOGETHER

BITS: Final = (2, 3, 4, 8)


def packed(codes_OI: torch.Tensor, bits: int) -> torch.Tensor:
    """Return codes below ``2 ** bits`` as bytes: uint8, ``ceil(O I / 8) bits`` of them.

    The first code has the lowest bits; what is missing to eight codes is filled with zeros.
    """
    codes = codes_OI.flatten()
    codes = torch.nn.functional.pad(codes, (0, -len(codes) % CODES_TOGETHER)).view(
        -1, CODES_TOGETHER
    )
    places = torch.arange(CODES_TOGETHER, device=codes.device) * bits
    words = (codes.long() << places).sum(1, keepdim=True)
    return ((words >> _byte_places(bits, codes.device)) & 0xFF).to(torch.uint8).flatten()


def unpacked(bytes_: torch.Tensor, bits: int, shape: tuple[int, int]) -> torch.Tensor:
    """Return the codes of ``packed`` again, ``(O, I)`` in uint8."""
    if bits == CODES_TOGETHER:
        return bytes_[: shape[0] * shape[1]].view(shape)
    if bits in (2, 4):
        places = torch.arange(0, 8, bits, dtype=torch.uint8, device=bytes_.device)
        codes = (bytes_[:, None] >> places) & (2**bits - 1)
    else:
        codes = _of_three_bytes(*bytes_.view(-1, bits).unbind(1))
    filled: torch.Tensor = codes.flatten()[: shape[0] * shape[1]]
    return filled.view(shape)


def _of_three_bytes(first: torch.Tensor, second: torch.Tensor, third: torch.Tensor) -> torch.Tensor:
    """Return the eight codes of three bits in three bytes; two of them lie across two bytes."""
    return torch.stack(
        (
            first & 7,
            (first >> 3) & 7,
            (first >> 6) | ((second & 1) << 2),
            (second >> 1) & 7,
            (second >> 4) & 7,
            (second >> 7) | ((third & 3) << 1),
            (third >> 2) & 7,
            third >> 5,
        ),
        dim=1,
    )


def _byte_places(bits: int, device: torch.device) -> torch.Tensor:
    return torch.arange(bits, device=device) * 8
