"""What a model from scratch learns from: images encoded once, each asked several questions.

Images are augmented (crop, zoom, and mirrored where the recipe says so).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from transformers import BlipForQuestionAnswering, BlipProcessor

from shared.questions.folding import BARE
from shared.records import QAPair
from shared.vqa.blip.config import token_ids
from shared.vqa.blip.forward import answer_loss_sum, answer_token_count
from shared.vqa.blip.text import AnswerBatch, TokenBatch, answer_batch, question_batch
from trainer.data.gallery import Gallery, augment
from trainer.pretraining.patches import encode_some_patches
from trainer.pretraining.recipe import PretrainRecipe

QUESTIONS: Final = BARE
"""How a model that is made here hears questions."""


def half_precision(model: BlipForQuestionAnswering, recipe: PretrainRecipe) -> torch.autocast:
    """Compute in bfloat16 on the model's device, if the recipe says so."""
    return torch.autocast(model.device.type, torch.bfloat16, enabled=recipe.bfloat16)


@dataclass(frozen=True)
class AskedPictures:
    """Pictures ``(N, C, H, W)``, and for each of B questions the index of its picture."""

    model: BlipForQuestionAnswering
    recipe: PretrainRecipe
    pixels_NCHW: torch.Tensor
    image_of_B: torch.Tensor
    questions: TokenBatch
    answers: AnswerBatch

    @property
    def loss_terms(self) -> int:
        """Answer tokens, with the end."""
        return answer_token_count(self.answers)

    def loss_sum(self) -> torch.Tensor:
        """Return the cross-entropy of all answer tokens (a scalar), in nats."""
        with half_precision(self.model, self.recipe):
            features_NLD = encode_some_patches(
                self.model, self.pixels_NCHW, self.recipe.patches_kept
            )
            return answer_loss_sum(
                self.model,
                features_NLD,
                self.questions,
                self.answers,
                self.recipe.label_smoothing,
                image_of_B=self.image_of_B,
            )


@dataclass(frozen=True)
class Draw:
    """The images of a step, by their numbers in the gallery, and its random numbers."""

    images_N: torch.Tensor
    random: np.random.Generator


@dataclass(frozen=True)
class PictureLessons:
    """Shuffled, augmented batches out of a gallery, each step's a function of seed and step."""

    model: BlipForQuestionAnswering
    processor: BlipProcessor
    gallery: Gallery
    recipe: PretrainRecipe
    _orders: dict[int, np.ndarray] = field(default_factory=dict, init=False, repr=False)

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches that an epoch has; what is left over is dropped."""
        return max(1, len(self.gallery.questions) // self.recipe.images_per_batch)

    def micro_batches(self, step: int) -> list[AskedPictures]:
        """Return the one batch of a step, counted from 0 over all epochs."""
        draw, shape = self.draw(step), self.recipe.shape
        pixels_NCHW = augment(
            self.pictures(draw),
            (shape.image_size, shape.image_size),
            draw.random,
            self.recipe.mirrored,
        )
        asked = self.asked(draw, self.recipe.questions_per_image)
        return [
            AskedPictures(
                model=self.model,
                recipe=self.recipe,
                pixels_NCHW=self.normalised(pixels_NCHW),
                image_of_B=self.numbers([position for position, _ in asked]),
                questions=self.heard([pair.question for _, pair in asked]),
                answers=self.said([pair.answer for _, pair in asked]),
            )
        ]

    def draw(self, step: int) -> Draw:
        """Return the images of a step, counted from 0 over all epochs."""
        epoch, index = divmod(step, self.steps_per_epoch)
        size = self.recipe.images_per_batch
        images_N = self._order(epoch)[index * size : (index + 1) * size]
        random = np.random.default_rng((self.recipe.seed, epoch, index))
        return Draw(torch.from_numpy(images_N), random)

    def asked(self, draw: Draw, count: int) -> list[tuple[int, QAPair]]:
        """Draw so many questions of each image; return them with its position."""
        asked: list[tuple[int, QAPair]] = []
        for position, image in enumerate(draw.images_N.tolist()):
            pairs = self.gallery.questions[image]
            chosen = draw.random.permutation(len(pairs))[:count]
            asked.extend((position, pairs[index]) for index in chosen)
        return asked

    def heard(self, questions: Sequence[str]) -> TokenBatch:
        """Return questions as the model hears them."""
        folded = [QUESTIONS.fold(question) for question in questions]
        ids, length = token_ids(self.model.config), self.recipe.shape.max_text_tokens
        batch = question_batch(self.processor.tokenizer, folded, ids, length)
        return batch.to(self.model.device)

    def said(self, answers: Sequence[str]) -> AnswerBatch:
        """Return answers as the model has to say them."""
        ids, length = token_ids(self.model.config), self.recipe.shape.max_text_tokens
        batch = answer_batch(self.processor.tokenizer, answers, ids, length)
        return batch.to(self.model.device)

    def normalised(self, pixels_NCHW: torch.Tensor) -> torch.Tensor:
        """Return pixels in [0, 1] as the model's image processor normalises them."""
        rules = self.processor.image_processor
        mean, deviation = (
            torch.tensor(each, device=pixels_NCHW.device).view(1, 3, 1, 1)
            for each in (rules.image_mean, rules.image_std)
        )
        return (pixels_NCHW - mean) / deviation

    def pictures(self, draw: Draw) -> torch.Tensor:
        """Return a step's pictures ``(N, C, H, W)`` of uint8, on the model's device."""
        return self.gallery.pictures_NCHW[draw.images_N].to(self.model.device)

    def numbers(self, values: Sequence[int]) -> torch.Tensor:
        """Return whole numbers on the model's device."""
        return torch.tensor(values, device=self.model.device)

    def _order(self, epoch: int) -> np.ndarray:
        if epoch not in self._orders:
            random = np.random.default_rng((self.recipe.seed, epoch))
            self._orders.clear()
            self._orders[epoch] = random.permutation(len(self.gallery.questions))
        return self._orders[epoch]
