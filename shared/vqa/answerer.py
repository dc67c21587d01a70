"""The interface of every family of models: encode images once, answer many questions about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from PIL import Image

from shared.vqa.loading import LoadedModel

MAX_NEW_TOKENS = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer's text and its probability under greedy decoding, in [0, 1]."""

    text: str
    confidence: float


class Answerer(Protocol):
    """A loaded model that answers.

    For every question the answer is what the model's own ``generate`` says to that question
    alone, whatever stands beside it in a batch.
    """

    model: LoadedModel
    road: str
    """How it answers, for provenance: what is computed once per image."""

    def prepare(self, image: Image.Image) -> torch.Tensor:
        """Return one image's pixels ``(C, H, W)``; may run in any thread."""
        ...

    def remember(self, pixels: Sequence[torch.Tensor]) -> Any:  # noqa: ANN401 (each has its own)
        """Compute what depends on the images alone."""
        ...

    def answer(self, memory: Any, image_of: Sequence[int], questions: Sequence[str]) -> list[Answer]:  # noqa: ANN401
        """Answer each question about the image that ``memory`` holds at its index."""
        ...


def in_order_of_images(image_of: Sequence[int]) -> list[int]:
    """Return the questions' indices so that those of one image stand together, in their order."""
    return sorted(range(len(image_of)), key=lambda at: image_of[at])
