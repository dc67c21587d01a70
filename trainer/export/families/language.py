"""Language models that read a picture as tokens, as two ONNX graphs: picture, and language model.

- image encoder: once per image, to what the language model reads in the place of words;
- language model: reads what is new after what it read before, whose keys and values it is given.
  One graph, with one table of words, reads the prompt up to the picture's end (once per image), the
  question, and each token of the answer.

Shapes as in ``shared.onnx_vqa.language``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers import DynamicCache, PretrainedConfig, PreTrainedModel

from trainer.export.graphs import Graph
from trainer.export.rows import Rows

_B, _T, _S = 3, 5, 7
_LOWEST = torch.finfo(torch.float32).min


class PictureTokens(nn.Module):
    """Pixels ``(1, C, H, W)`` to what the language model reads of them, ``(1, L, D)``."""

    def __init__(
        self,
        network: PreTrainedModel,
        tokens: Callable[[PreTrainedModel, torch.Tensor], torch.Tensor],
    ) -> None:
        super().__init__()
        self.network, self.tokens = network, tokens

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Encode the image."""
        return self.tokens(self.network, pixels)


class LanguageModel(nn.Module):
    """Tokens after those whose keys and values are there, to the logits after the last."""

    def __init__(self, tower: nn.Module, words: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.tower, self.words, self.head = tower, words, head

    def forward(
        self,
        *,
        ids: torch.Tensor,
        positions: torch.Tensor,
        mask: torch.Tensor,
        picture: torch.Tensor,
        from_picture: torch.Tensor,
        past_keys: torch.Tensor,
        past_values: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Read T tokens after S others, and return logits ``(B, V)``, keys and values of all.

        ``ids``, ``positions`` and ``from_picture`` are ``(B, T)``, ``mask`` ``(B, S + T)`` (1 for
        a real token), ``picture`` ``(B, T, D)``, keys and values ``(Y, B, K, S, E)``.
        """
        states_BTD = torch.where(from_picture[..., None], picture, self.words(ids))
        before = past_keys.shape[3]
        own_T1 = before + torch.arange(ids.shape[1])[:, None]
        earlier_TS = torch.arange(mask.shape[1])[None] <= own_T1
        seen_BTS = earlier_TS[None] & mask.bool()[:, None]
        bias_B1TS = torch.zeros(seen_BTS.shape).masked_fill(~seen_BTS, _LOWEST)[:, None]
        cache = DynamicCache()
        for number in range(len(past_keys)):
            cache.update(past_keys[number], past_values[number], number)
        states_BTD = self.tower(
            inputs_embeds=states_BTD,
            attention_mask=bias_B1TS,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        keys = torch.stack([layer.keys for layer in cache.layers])
        values = torch.stack([layer.values for layer in cache.layers])
        # Of one token, not of none: a product of matrices alone is not packed into few bits.
        return self.head(states_BTD[:, -1:])[:, 0], keys, values


def cache_sizes(config: PretrainedConfig) -> tuple[int, int, int]:
    """Return layers, heads and a head's size of a language model's keys and values."""
    heads: int = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    return config.num_hidden_layers, getattr(config, "num_key_value_heads", heads), size


def language_graph(module: LanguageModel, config: PretrainedConfig, width: int) -> Graph:
    """Return the language model's graph; ``width`` is that of a word or a picture's token."""
    layers, heads, size = cache_sizes(config)
    past = (layers, _B, heads, _S, size)
    return Graph(
        module,
        {
            "ids": torch.zeros(_B, _T, dtype=torch.long),
            "positions": torch.zeros(_B, _T, dtype=torch.long),
            "mask": torch.ones(_B, _S + _T, dtype=torch.long),
            "picture": torch.zeros(_B, _T, width),
            "from_picture": torch.zeros(_B, _T, dtype=torch.bool),
            "past_keys": torch.zeros(past),
            "past_values": torch.zeros(past),
        },
        {
            **{name: {0: "B", 1: "T"} for name in ("ids", "positions", "picture", "from_picture")},
            "mask": {0: "B", 1: "P"},
            "past_keys": {1: "B", 3: "S"},
            "past_values": {1: "B", 3: "S"},
        },
        ("logits", "keys", "values"),
    )


def picture_graph(
    network: PreTrainedModel,
    tokens: Callable[[PreTrainedModel, torch.Tensor], torch.Tensor],
    shape: tuple[int, int, int],
) -> Graph:
    """Return the graph of an image's tokens, for pixels of one shape ``(C, H, W)``."""
    pixels: dict[str, Any] = {"pixels": torch.zeros(1, *shape)}
    return Graph(PictureTokens(network, tokens), pixels, {}, ("tokens",), Rows.MANY)
