"""Trains a small BLIP of the original architecture from scratch; this is how blip-vqa-tiny is made.

Every image of a batch is encoded once and asked several of its questions. Images are augmented
(crop, zoom, mirror); an exponential moving average of the weights is what gets evaluated and kept.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog
import torch
from PIL import Image
from pydantic import Field
from tokenizers import BertWordPieceTokenizer
from torch.nn.functional import affine_grid, grid_sample
from transformers import (
    BertTokenizerFast,
    BlipConfig,
    BlipForQuestionAnswering,
    BlipImageProcessorPil,
    BlipProcessor,
)

from shared.blip.config import token_ids
from shared.blip.forward import answer_loss_sum, answer_token_count, encode_images
from shared.blip.preprocessing import open_image
from shared.blip.text import AnswerBatch, TokenBatch, answer_batch, question_batch
from shared.clock import stopwatch
from shared.progress import report_progress
from shared.records import QAPair
from shared.settings import Settings

log = structlog.get_logger(__name__)

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]")
ZOOM_MARGIN = 1.25
"""Training pictures are kept this much larger than the input, so that crops stay sharp."""


class Shape(Settings):
    """Sizes of the model to make."""

    width: int = Field(160, gt=0)
    heads: int = Field(5, gt=0)
    vision_layers: int = Field(4, gt=0)
    question_layers: int = Field(2, gt=0)
    image_size: int = Field(128, gt=0)
    patch_size: int = Field(16, gt=0)
    vocabulary: int = Field(4000, gt=100)
    max_text_tokens: int = Field(128, gt=8)
    dropout: float = Field(0.1, ge=0, lt=1)


class PretrainRecipe(Settings):
    """Everything that decides what ``pretrain`` makes."""

    data: Path
    images: Path
    out: Path
    shape: Shape = Shape()
    epochs: int = Field(30, gt=0)
    images_per_batch: int = Field(64, gt=0)
    questions_per_image: int = Field(5, gt=0)
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.05, ge=0)
    warmup_fraction: float = Field(0.05, ge=0, lt=1)
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    average_decay: float = Field(0.998, ge=0, lt=1)
    max_grad_norm: float = Field(1.0, gt=0)
    bfloat16: bool = False
    evaluate_every_epochs: int = Field(5, gt=0)
    seed: int = 0


@dataclass(frozen=True)
class Gallery:
    """The training pictures in memory: ``(N, C, H, W)`` of uint8, and the questions of each."""

    pictures_NCHW: torch.Tensor
    questions: Sequence[Sequence[QAPair]]


def train_tokenizer(texts: Sequence[str], shape: Shape) -> BertTokenizerFast:
    """Learn a lower-case WordPiece vocabulary that ends with BLIP's decoder start token."""
    learner = BertWordPieceTokenizer(lowercase=True)
    learner.train_from_iterator(
        texts, vocab_size=shape.vocabulary, special_tokens=list(SPECIAL_TOKENS), show_progress=False
    )
    return BertTokenizerFast(
        vocab=learner.get_vocab(),
        do_lower_case=True,
        bos_token="[DEC]",  # noqa: S106
        model_max_length=shape.max_text_tokens,
    )


def new_model(shape: Shape, tokenizer: BertTokenizerFast) -> BlipForQuestionAnswering:
    """Make ``BlipForQuestionAnswering`` with random weights."""
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": shape.width,
        "intermediate_size": 4 * shape.width,
        "projection_dim": shape.width,
        "num_hidden_layers": shape.question_layers,
        "num_attention_heads": shape.heads,
        "max_position_embeddings": shape.max_text_tokens,
        "hidden_dropout_prob": shape.dropout,
        "attention_probs_dropout_prob": shape.dropout,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.sep_token_id,
        "sep_token_id": tokenizer.sep_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {
        "hidden_size": shape.width,
        "intermediate_size": 4 * shape.width,
        "projection_dim": shape.width,
        "num_hidden_layers": shape.vision_layers,
        "num_attention_heads": shape.heads,
        "image_size": shape.image_size,
        "patch_size": shape.patch_size,
        # The default of 1e-10 makes a model that cannot see.
        "initializer_range": 0.02,
    }
    config = BlipConfig(text_config=text, vision_config=vision, projection_dim=shape.width)
    return BlipForQuestionAnswering(config)


def new_processor(shape: Shape, tokenizer: BertTokenizerFast) -> BlipProcessor:
    """Make the processor that belongs to ``new_model``."""
    size = {"height": shape.image_size, "width": shape.image_size}
    return BlipProcessor(BlipImageProcessorPil(size=size), tokenizer)


def load_gallery(pairs: Sequence[QAPair], images_dir: Path, side: int) -> Gallery:
    """Decode and resize every image of ``pairs`` to ``side`` pixels, once."""
    by_image: dict[str, list[QAPair]] = {}
    for pair in pairs:
        by_image.setdefault(pair.filename, []).append(pair)
    names = sorted(by_image)
    pictures = torch.empty((len(names), 3, side, side), dtype=torch.uint8)

    def decode(name: str) -> np.ndarray:
        image = open_image(images_dir / name).resize((side, side), Image.Resampling.BICUBIC)
        return np.asarray(image)

    with ThreadPoolExecutor() as pool, report_progress("images", len(names)) as progress:
        for index, picture in enumerate(pool.map(decode, names)):
            pictures[index] = torch.from_numpy(picture.copy()).permute(2, 0, 1)
            progress.advance()
    return Gallery(pictures, [by_image[name] for name in names])


def augment(pictures_NCHW: torch.Tensor, side: int, random: np.random.Generator) -> torch.Tensor:
    """Zoom, shift and mirror uint8 pictures at random; return ``(N, C, side, side)`` in [0, 1]."""
    count = len(pictures_NCHW)
    zoom = random.uniform(0.75, 1.05, count)
    stretch = np.exp(random.uniform(-0.1, 0.1, count))
    mirror = np.where(random.random(count) < 0.5, -1.0, 1.0)  # noqa: PLR2004
    theta = np.zeros((count, 2, 3), dtype=np.float32)
    theta[:, 0, 0] = zoom * stretch * mirror
    theta[:, 1, 1] = zoom / stretch
    slack = np.maximum(0.05, 1 - zoom)
    theta[:, 0, 2] = random.uniform(-1, 1, count) * slack
    theta[:, 1, 2] = random.uniform(-1, 1, count) * slack
    grid = affine_grid(torch.from_numpy(theta), [count, 3, side, side], align_corners=False)
    pictures = pictures_NCHW.float() / 255
    return grid_sample(pictures, grid, padding_mode="border", align_corners=False)


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
        pixels = augment(pictures, recipe.shape.image_size, self._random)
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
                self._tokenizer, [pair.question for pair in pairs], self._ids, max_tokens
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


def learning_rate_factor(step: int, steps: int, warmup_fraction: float) -> float:
    """Return the share of the peak rate at ``step``: linear warm-up, then half a cosine."""
    warmup = max(1, int(steps * warmup_fraction))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


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
    """Train ``model`` in place; yield a report and the averaged model after each epoch."""
    steps = recipe.epochs * source.batches_per_epoch
    optimizer = torch.optim.AdamW(
        _decayed_apart(model, recipe.weight_decay), lr=recipe.learning_rate, betas=(0.9, 0.98)
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate_factor(step, steps, recipe.warmup_fraction)
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
    torch.nn.utils.clip_grad_norm_(
        model.parameters(), recipe.max_grad_norm, error_if_nonfinite=True
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
