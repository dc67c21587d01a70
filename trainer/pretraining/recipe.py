"""Pre-training from scratch: how blip-vqa-tiny is made.

Every image of a batch is encoded once and asked several of its questions. Images are augmented
(crop, zoom, mirror); an exponential moving average of the weights is what gets evaluated and kept.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from pydantic import Field
from torch.nn.utils import clip_grad_norm_
from transformers import BlipConfig, BlipForQuestionAnswering, BlipProcessor

from shared.program.clock import stopwatch
from shared.program.progress import report_progress
from shared.program.settings import Seed, Settings
from shared.questions.folding import BARE
from shared.records import QAPair
from shared.vqa.blip.config import token_ids
from shared.vqa.blip.forward import answer_loss_sum, answer_token_count, encode_images
from shared.vqa.blip.text import AnswerBatch, TokenBatch, answer_batch, question_batch
from trainer.data.gallery import Gallery, augment
from trainer.pretraining.scratch import Shape
from trainer.recipe.recipe import LARGEST_RATE, DataColumns, ImagesFolder, Pairs, SplitRecipe
from trainer.recipe.schedule import Schedule, learning_rate_factor
from trainer.training.loop import NonFiniteGradient

QUESTIONS: Final = BARE
"""How a model that is made here hears questions."""


class PretrainRecipe(Settings):
    """Everything that decides what `trainer pretrain` makes."""

    data: Pairs
    images: ImagesFolder
    columns: DataColumns = Field({})
    out: Path = Field(
        description="folder to write the model to; a model that is there is replaced",
        examples=["model"],
    )
    dataset: Path | None = Field(
        None,
        description="where to keep the pairs with their split, for `evaluator run`",
        examples=["model-data"],
    )
    title: str = Field("BLIP for VQA, small, from scratch", description="head of the model card")
    credit: str = Field("", description="whose pictures and texts these are, for the card")
    remarks: str = Field("", description="what else the card should say")
    epochs: int = Field(30, gt=0, description="passes over the training images")
    images_per_batch: int = Field(64, gt=0, description="images of a step, each encoded once")
    questions_per_image: int = Field(
        5, gt=0, description="questions asked of each of them, drawn at random where it has more"
    )
    learning_rate: float = Field(
        1e-3, gt=0, lt=LARGEST_RATE, description="AdamW's peak rate, falling as a cosine"
    )
    weight_decay: float = Field(0.05, ge=0, description="AdamW's decay of the weights")
    warmup_fraction: float = Field(0.05, ge=0, lt=1, description="share of all optimiser steps")
    label_smoothing: float = Field(
        0.1, ge=0, lt=1, description="share of each target that all word pieces get"
    )
    average_decay: float = Field(
        0.998, ge=0, lt=1, description="decay of the moving average of the weights, which is kept"
    )
    max_grad_norm: float = Field(1.0, gt=0, description="longer gradients are cut to this norm")
    bfloat16: bool = Field(
        default=False, description="compute in bfloat16, faster on CPUs that have it"
    )
    evaluate_every_epochs: int = Field(
        5, gt=0, description="epochs between scores on the validation images"
    )
    seed: Seed = Field(0, description="decides the first weights, the batches and the dropout")
    split: SplitRecipe = Field(
        SplitRecipe(), description="by product, for data without a split of their own"
    )
    shape: Shape = Field(Shape(), description="sizes of the model")


@dataclass(frozen=True)
class Batch:
    """Images, and for each question the index of its image."""

    pixels_NCHW: torch.Tensor
    image_of_B: torch.Tensor
    questions: TokenBatch
    answers: AnswerBatch


class BatchSource:
    """Endless shuffled, augmented batches out of a gallery."""

    def __init__(
        self, gallery: Gallery, recipe: PretrainRecipe, processor: BlipProcessor, config: BlipConfig
    ) -> None:
        self._gallery, self._recipe = gallery, recipe
        self._tokenizer, self._ids = processor.tokenizer, token_ids(config)
        normalise = processor.image_processor
        self._mean = torch.tensor(normalise.image_mean).view(1, 3, 1, 1)
        self._std = torch.tensor(normalise.image_std).view(1, 3, 1, 1)
        self._random = np.random.default_rng(recipe.seed)

    @property
    def batches_per_epoch(self) -> int:
        """Whole batches that an epoch has; what is left over is dropped."""
        return max(1, len(self._gallery.questions) // self._recipe.images_per_batch)

    def epoch(self) -> Iterator[Batch]:
        """Yield the batches of one pass over all images."""
        order = self._random.permutation(len(self._gallery.questions))
        size = self._recipe.images_per_batch
        for index in range(self.batches_per_epoch):
            yield self._batch(order[index * size : (index + 1) * size])

    def _batch(self, images: np.ndarray) -> Batch:
        recipe, max_tokens = self._recipe, self._recipe.shape.max_text_tokens
        pictures = self._gallery.pictures_NCHW[torch.from_numpy(images)]
        side = recipe.shape.image_size
        pixels = augment(pictures, (side, side), self._random)
        asked: list[tuple[int, QAPair]] = []
        for position, image in enumerate(images):
            pairs = self._gallery.questions[image]
            chosen = self._random.permutation(len(pairs))[: recipe.questions_per_image]
            asked.extend((position, pairs[index]) for index in chosen)
        pairs = [pair for _, pair in asked]
        return Batch(
            pixels_NCHW=(pixels - self._mean) / self._std,
            image_of_B=torch.tensor([position for position, _ in asked]),
            questions=question_batch(
                self._tokenizer,
                [QUESTIONS.fold(pair.question) for pair in pairs],
                self._ids,
                max_tokens,
            ),
            answers=answer_batch(
                self._tokenizer, [pair.answer for pair in pairs], self._ids, max_tokens
            ),
        )


class WeightAverage:
    """Exponential moving average of a model's weights (Polyak and Juditsky 1992)."""

    def __init__(self, model: BlipForQuestionAnswering, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
        self._decay = decay
        self._updates = 0

    @torch.no_grad()
    def update(self, model: BlipForQuestionAnswering) -> None:
        """Move a small step towards ``model``; larger steps at the very beginning."""
        self._updates += 1
        decay = min(self._decay, self._updates / (self._updates + 10))
        for mean, weight in zip(self.model.parameters(), model.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)


@dataclass(frozen=True)
class EpochReport:
    """What one epoch of pre-training did; loss is the mean per answer token, in nats."""

    epoch: int
    loss: float
    seconds: float


def pretrain(
    model: BlipForQuestionAnswering,
    source: BatchSource,
    recipe: PretrainRecipe,
) -> Iterator[tuple[EpochReport, BlipForQuestionAnswering]]:
    """Train ``model`` in place; yield a report and the averaged model after each epoch.

    Raises:
        NonFiniteGradient: training diverged.
    """
    steps = recipe.epochs * source.batches_per_epoch
    optimizer = torch.optim.AdamW(
        _decayed_apart(model, recipe.weight_decay), lr=recipe.learning_rate, betas=(0.9, 0.98)
    )
    warmup = max(1, int(steps * recipe.warmup_fraction))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate_factor(Schedule.COSINE, step, warmup, steps)
    )
    average = WeightAverage(model, recipe.average_decay)
    for epoch in range(1, recipe.epochs + 1):
        started, loss_sum, tokens = stopwatch(), 0.0, 0
        model.train()
        name = f"epoch {epoch}/{recipe.epochs}"
        with report_progress(name, source.batches_per_epoch) as progress:
            for batch in source.epoch():
                counted = answer_token_count(batch.answers)
                loss = _step(model, batch, optimizer, recipe)
                schedule.step()
                average.update(model)
                loss_sum, tokens = loss_sum + loss, tokens + counted
                progress.advance(note=f"loss {loss_sum / tokens:.3f}")
        yield EpochReport(epoch, loss_sum / tokens, stopwatch() - started), average.model


def _step(
    model: BlipForQuestionAnswering,
    batch: Batch,
    optimizer: torch.optim.Optimizer,
    recipe: PretrainRecipe,
) -> float:
    with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
        features_BLD = encode_images(model, batch.pixels_NCHW)[batch.image_of_B]
        loss = answer_loss_sum(
            model, features_BLD, batch.questions, batch.answers, recipe.label_smoothing
        )
    optimizer.zero_grad()
    (loss / answer_token_count(batch.answers)).backward()
    grad_norm = float(clip_grad_norm_(model.parameters(), recipe.max_grad_norm))
    if not math.isfinite(grad_norm):
        raise NonFiniteGradient(
            "the gradient is not finite; start again with a lower learning_rate"
        )
    optimizer.step()
    return float(loss.detach())


def _decayed_apart(model: BlipForQuestionAnswering, weight_decay: float) -> list[dict[str, Any]]:
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    return [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
