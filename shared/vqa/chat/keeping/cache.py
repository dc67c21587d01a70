"""Keys and values of several pictures' prefixes, one row each, and of the questions behind them.

Room is made once and filled in place: no step copies what is there already, as transformers' own
cache does, and all questions of a picture read the one row.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from transformers import Cache, DynamicCache, PreTrainedModel
from transformers.cache_utils import CacheLayerMixin


@dataclass
class Shelf:
    """Room for ``rows`` pictures of ``length`` tokens each, in every layer.

    A layer's tensors ``(rows, heads, length, D / heads)`` are made when it is first written, since
    only then its sizes are known.
    """

    rows: int
    length: int
    layers: list[tuple[torch.Tensor, torch.Tensor] | None] = field(default_factory=list)

    @classmethod
    def of(cls, network: PreTrainedModel, rows: int, length: int) -> Shelf:
        """Return room for a network's layers."""
        text = network.config.get_text_config(decoder=True)
        count = len(DynamicCache(config=text).layers) or text.num_hidden_layers
        return cls(rows, length, [None] * count)

    def cache(self, first: int, last: int, filled: int) -> Cache:
        """Return rows ``first`` to ``last`` as a cache with ``filled`` tokens in it."""
        rows = slice(first, last)
        return Cache([_ShelfLayer(self, at, rows, filled) for at in range(len(self.layers))])

    def grow(self, length: int) -> None:
        """Make room for ``length`` tokens, and keep what is there."""
        if length <= self.length:
            return
        more = (0, 0, 0, length - self.length)
        self.length = length
        for at, layer in enumerate(self.layers):
            if layer is not None:
                pad = torch.nn.functional.pad
                self.layers[at] = (pad(layer[0], more), pad(layer[1], more))

    def room(
        self, at: int, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a layer's tensors, made with the sizes of what is written first."""
        layer = self.layers[at]
        if layer is None:
            layer = (self._room_like(keys), self._room_like(values))
            self.layers[at] = layer
        return layer

    def _room_like(self, tensor: torch.Tensor) -> torch.Tensor:
        # Zeros, since what is masked is still multiplied, by zero.
        return tensor.new_zeros(self.rows, tensor.shape[1], self.length, tensor.shape[3])


class _ShelfLayer(CacheLayerMixin):
    """One layer of some rows of a shelf, written at the end of what is filled."""

    is_sliding = False

    def __init__(self, shelf: Shelf, at: int, rows: slice, filled: int) -> None:
        super().__init__()
        self._shelf, self._at, self._rows, self._filled = shelf, at, rows, filled
        self.is_initialized = True

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Room is made by the shelf."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: object, **__: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new keys and values, and return all that is filled."""
        room = self._shelf.room(self._at, key_states, value_states)
        end = self._filled + key_states.shape[2]
        for tensor, new in zip(room, (key_states, value_states), strict=True):
            tensor[self._rows, :, self._filled : end] = new
        self._filled = end
        self.keys, self.values = (tensor[self._rows, :, :end] for tensor in room)
        return self.keys, self.values

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return how many tokens there will be, and that none was let go."""
        return self._filled + query_length, 0

    def get_seq_length(self) -> int:
        """Return how many tokens are filled."""
        return self._filled

    def get_max_length(self) -> int:
        """Return that there is no limit that a mask would have to know."""
        return -1
