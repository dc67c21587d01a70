"""The training loop: steps of micro-batches, one loss however they are cut, no I/O of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from shared.errors import AboVqaError
from trainer.recipe.schedule import Schedule, learning_rate_factor
from trainer.training.team import ALONE, Team

_BETWEEN_DEVICES: Final = 982_451_653
"""Between the seeds of two devices, which would drop the same weights from different questions."""


class NonFiniteGradient(AboVqaError):
    """A step's gradient is infinite or not a number; the weights before it are saved."""


class MicroBatch(Protocol):
    """Examples of one forward and backward pass."""

    @property
    def loss_terms(self) -> int:
        """How many terms the loss sums, which is what a step's loss is divided by."""
        ...

    def loss_sum(self) -> torch.Tensor:
        """Run the network; return the summed loss (a scalar), in nats."""
        ...


class Lessons(Protocol):
    """What each step learns from."""

    def micro_batches(self, step: int) -> Sequence[MicroBatch]:
        """Return the micro-batches of a step, counted from 0: a pure function of the step."""
        ...


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

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        return self.learning_rate * learning_rate_factor(
            self.schedule, step, self.warmup_steps, self.total_steps
        )


RATE_TIMES: Final = "rate_times"
"""In an optimiser's group of weights: what the learning rate is multiplied by for it."""


def new_optimizer(network: nn.Module, settings: Optimization) -> torch.optim.Optimizer:
    """Return AdamW over the weights that training changes."""
    return torch.optim.AdamW(
        trained_weights(network), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )


def trained_weights(network: nn.Module) -> list[nn.Parameter]:
    """Return the weights that training changes."""
    return [weight for weight in network.parameters() if weight.requires_grad]


def train(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    lessons: Lessons,
    settings: Optimization,
    *,
    first_step: int,
    team: Team = ALONE,
) -> Iterator[StepReport]:
    """Train from ``first_step`` (counted from 0) to the end; yield a report after each step.

    Random numbers (dropout) are seeded by the step, so that a resumed run equals one that was
    never interrupted, and by the device. ``lessons`` are this device's share of each step.

    Raises:
        NonFiniteGradient: at the step where it happens, before any weight changes.
    """
    weights = trained_weights(network)
    for step in range(first_step, settings.total_steps):
        torch.manual_seed(settings.seed * 1_000_003 + step + team.number * _BETWEEN_DEVICES)
        rate = settings.rate(step)
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get(RATE_TIMES, 1.0)
        network.train()
        loss = _accumulate(lessons.micro_batches(step), team)
        team.add_gradients(weights)
        grad_norm = float(clip_grad_norm_(weights, settings.max_grad_norm))
        if not math.isfinite(grad_norm):
            raise NonFiniteGradient(
                f"step {step + 1}: the gradient is not finite (loss {loss}); start again with a "
                "lower learning_rate"
            )
        optimizer.step()
        optimizer.zero_grad()
        yield StepReport(step + 1, loss, grad_norm, rate)


def _accumulate(micro_batches: Sequence[MicroBatch], team: Team) -> float:
    """Add the gradients of this device's share of a step; return the step's mean loss per term."""
    terms = team.total(sum(micro_batch.loss_terms for micro_batch in micro_batches))
    total = 0.0
    for micro_batch in micro_batches:
        loss = micro_batch.loss_sum()
        (loss / terms).backward()
        total += float(loss.detach())
    return team.total(total) / terms
