"""A picture whose features were computed before, and stored: it is asked without its pixels."""

from __future__ import annotations

from typing import Any

import torch

from shared.vqa.chat.features import ENCODED, Features
from shared.vqa.chat.processor import Picture
from shared.vqa.chat.prompt import Prefix


class KnownPicture(Picture):
    """Stands beside pictures that were opened, and is asked as they are.

    Args:
        prefix: what stands before every question about it, with ``inputs`` on any device.
        features: what the network's own ``get_image_features`` made of it.
        another: any picture, for a question's own tokens, which depend on no picture.
        before: how many tokens stand before a question about the other one.
    """

    def __init__(self, prefix: Prefix, features: Features, another: Picture, before: int) -> None:
        self.name = another.name
        self._prefix, self._known, self._another, self._before = prefix, features, another, before

    def asked(self, text: str) -> dict[str, Any]:
        """Return what the processor would return, with features for pixels."""
        ids_1T = torch.tensor([self.tokens(text)])
        before_1P = torch.tensor([self._prefix.ids])
        inputs = {
            name: _with_words(value, ids_1T) if _by_token(value, before_1P) else value
            for name, value in self._prefix.inputs.items()
        }
        beside = {"input_ids": ids_1T, "attention_mask": torch.ones_like(ids_1T)}
        return inputs | beside | {ENCODED: {"image": self._known}}

    def tokens(self, text: str) -> list[int]:
        """Return the tokens of the picture with a question."""
        return [*self._prefix.ids, *self._another.tokens(text)[self._before :]]

    def drop_pixels(self) -> None:
        """Forget nothing: there are no pixels."""


def _by_token(value: object, before_1P: torch.Tensor) -> bool:
    return isinstance(value, torch.Tensor) and value.shape == before_1P.shape


def _with_words(kinds_1P: torch.Tensor, ids_1T: torch.Tensor) -> torch.Tensor:
    """Return the kinds of a prefix's tokens with those of a question's, which are words: 0."""
    return torch.nn.functional.pad(kinds_1P, (0, ids_1T.shape[1] - kinds_1P.shape[1]))
