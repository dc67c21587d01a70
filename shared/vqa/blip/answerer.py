"""BLIP behind the interface that all families share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image

from shared.vqa.answerer import Answer, Answerer
from shared.vqa.blip.inference import ImageMemory, answer_questions, remember_pixels
from shared.vqa.inputs.preprocessing import pixel_values


class BlipAnswerer(Answerer[torch.Tensor, ImageMemory]):
    """Keeps each image's features and its keys and values in every cross-attention layer."""

    computed_once = "image features, keys and values of the cross-attention"

    def prepare(self, image: Image.Image) -> torch.Tensor:
        """Return pixels ``(1, C, H, W)``."""
        return pixel_values(self.model.image_processor, [image])

    def remember(self, images: Sequence[torch.Tensor]) -> ImageMemory:
        """Encode the images."""
        return remember_pixels(self.model, torch.cat(list(images)))

    def answer(
        self, memory: ImageMemory, image_of: Sequence[int], questions: Sequence[str]
    ) -> list[Answer]:
        """Read the questions with the image at hand, then decode their answers."""
        return answer_questions(self.model, memory, image_of, questions)
