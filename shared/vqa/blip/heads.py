"""The heads of an attention of BLIP's text towers, apart and together.

Shapes, besides those of the package: K heads, E = D / K.
"""

from __future__ import annotations

import torch
from transformers.models.blip.modeling_blip_text import BlipTextAttention


def split_heads(states_BTD: torch.Tensor, attention: BlipTextAttention) -> torch.Tensor:
    """Return what each head of ``attention`` gets: ``(B, K, T, E)``."""
    size: int = attention.self.attention_head_size
    heads_BKTE: torch.Tensor = states_BTD.unflatten(-1, (-1, size)).transpose(1, 2)
    return heads_BKTE


def joined_heads(heads_BKTE: torch.Tensor) -> torch.Tensor:
    """Return what all heads give, side by side: ``(B, T, D)``."""
    return heads_BKTE.transpose(1, 2).flatten(2)
