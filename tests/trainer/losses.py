"""A loss to compare models by: four fixed answers about images of noise."""

from __future__ import annotations

import torch

from shared.vqa.blip.config import token_ids
from shared.vqa.blip.forward import answer_loss_sum, encode_images
from shared.vqa.blip.text import answer_batch, question_batch
from shared.vqa.loaded import LoadedModel
from tests.models import ANSWERS, QUESTIONS


def loss_of(model: LoadedModel, *, train: bool = False) -> torch.Tensor:
    """Return the loss of four answers about four fixed images of noise."""
    with torch.set_grad_enabled(train):
        return _loss_of(model)


def _loss_of(model: LoadedModel) -> torch.Tensor:
    ids = token_ids(model.blip.config)
    noise = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return answer_loss_sum(
        model.blip,
        encode_images(model.blip, noise),
        question_batch(model.tokenizer, QUESTIONS[:4], ids, 64),
        answer_batch(model.tokenizer, ANSWERS[:4], ids, 64),
    )
