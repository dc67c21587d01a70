"""The training loop: steps of micro-batches, one loss however they are cut, no I/O of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch.nn.utils import clip_grad_norm_

from shared.errors import AboVqaError
from shared.records import QAPair
from trainer.data.batches import Batches
from trainer.data.features import ImageFeatures
from trainer.learners.learner import Learner, Tokenised
from trainer.recipe.schedule import Schedule, learning_rate_factor


class NonFiniteGradient(AboVqaError):
    """A step's gradient is infinite or not a number; the weights before it are saved."""


@dataclass(frozen=True, slots=True)
class StepReport:
    """One optimiser step, counted from 1; loss in nats per answer token, with the regions'."""

    step: int
    loss: float
    grad_norm: float
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Optimization:
    """The numbers that the loop needs of a recipe."""

    learning_rate: float
    schedule: Schedule
    weight_decay: float
    warmup_steps: int
    total_steps: int
    max_grad_norm: float
    seed: int


def new_optimizer(peft: PeftModel, settings: Optimization) -> torch.optim.Optimizer:
    """Return AdamW over the weights that training changes."""
    weights = [p for p in peft.parameters() if p.requires_grad]
    return torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=settings.weight_decay)


def train(
    learner: Learner[Any],
    peft: PeftModel,
    optimizer: torch.optim.Optimizer,
    *,
    features: ImageFeatures,
    batches: Batches,
    settings: Optimization,
    first_step: int,
) -> Iterator[StepReport]:
    """Train from ``first_step`` (counted from 0) to the end; yield a report after each step.

    Random numbers (dropout) are seeded by the step, so that a resumed run equals one that was
    never interrupted.

    Raises:
        NonFiniteGradient: at the step where it happens, before any weight changes.
    """
    weights = [p for p in peft.parameters() if p.requires_grad]
    for step in range(first_step, settings.total_steps):
        torch.manual_seed(settings.seed * 1_000_003 + step)
        factor = learning_rate_factor(
            settings.schedule, step, settings.warmup_steps, settings.total_steps
        )
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * factor
        peft.train()
        loss = _accumulate(learner, features, batches.micro_batches(step))
        grad_norm = float(clip_grad_norm_(weights, settings.max_grad_norm))
        if not math.isfinite(grad_norm):
            raise NonFiniteGradient(
                f"step {step + 1}: the gradient is not finite (loss {loss}); start again with a "
                "lower learning_rate"
            )
        optimizer.step()
        optimizer.zero_grad()
        yield StepReport(step + 1, loss, grad_norm, settings.learning_rate * factor)


def _accumulate(
    learner: Learner[Any], features: ImageFeatures, micro_batches: Sequence[Sequence[QAPair]]
) -> float:
    """Add the gradients of one step; return its mean loss per term."""
    tokenised: list[Tokenised] = [learner.tokenise(pairs) for pairs in micro_batches]
    terms = sum(examples.loss_terms for examples in tokenised)
    total = 0.0
    for pairs, examples in zip(micro_batches, tokenised, strict=True):
        rows = {name: row for row, name in enumerate(dict.fromkeys(p.filename for p in pairs))}
        image_of = [rows[pair.filename] for pair in pairs]
        loss = learner.loss_sum(features.of(list(rows)), image_of, examples)
        (loss / terms).backward()
        total += float(loss.detach())
    return total / terms
