"""The devices that train one adapter together: this one alone, or a process for each.

Every process holds the base, in 4 bit where the recipe says so, and the same adapter. Of each step
it computes its share; the gradients of all shares are added up before the step is taken, so that
the adapters stay the same. accelerate connects the processes. Gradients are added once a step, not
by its wrapper for networks, which wants as many passes of one process as of the other: a step's
last questions may be fewer than there are devices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import torch
from torch import nn

from shared.errors import AboVqaError

_PATIENCE: Final = timedelta(days=7)
"""How long others wait while the first one scores; one that is lost is noticed at once."""


class DeviceLost(AboVqaError):
    """The process of another device has ended; who started them all says which."""


class Team:
    """One device alone."""

    number = 0
    """Of this device, from 0."""
    size = 1

    @property
    def leads(self) -> bool:
        """Whether this device writes, scores and speaks for all."""
        return self.number == 0

    def total(self, number: float) -> float:
        """Return the sum of every device's number."""
        return number

    def told(self, number: float) -> float:
        """Return the first device's number."""
        return number

    def add_gradients(self, weights: Sequence[nn.Parameter]) -> None:
        """Replace each weight's gradient by the sum of every device's, in place."""

    def leave(self) -> None:
        """Close the connection."""


ALONE: Final = Team()


class Together(Team):
    """This process among those that ``trainer.fitting.devices`` has started.

    Raises:
        DeviceLost: by each method, where another process has ended.
    """

    def __init__(self) -> None:
        # Most runs are alone and need not wait for it.
        from accelerate import PartialState  # noqa: PLC0415
        from accelerate.utils import broadcast, reduce  # noqa: PLC0415

        self._state = PartialState(cpu=not torch.cuda.is_available(), timeout=_PATIENCE)
        self._broadcast, self._reduce = broadcast, reduce
        self.number, self.size = self._state.process_index, self._state.num_processes

    def total(self, number: float) -> float:
        """Return the sum of every device's number."""
        with _loss_noticed():
            return float(self._reduce(self._tensor(number), reduction="sum"))

    def told(self, number: float) -> float:
        """Return the first device's number."""
        with _loss_noticed():
            return float(self._broadcast(self._tensor(number), from_process=0))

    def add_gradients(self, weights: Sequence[nn.Parameter]) -> None:
        """Replace each weight's gradient by the sum of every device's, in place."""
        gradients = [
            torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights
        ]
        with _loss_noticed():
            summed = self._reduce(
                torch.cat([gradient.flatten() for gradient in gradients]), reduction="sum"
            )
        parts = summed.split([gradient.numel() for gradient in gradients])
        for weight, part in zip(weights, parts, strict=True):
            weight.grad = part.view_as(weight)

    def leave(self) -> None:
        """Close the connection."""
        self._state.destroy_process_group()

    def _tensor(self, number: float) -> torch.Tensor:
        return torch.tensor(number, dtype=torch.float64, device=self._state.device)


@contextmanager
def _loss_noticed() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise DeviceLost("the process of another device has ended") from error
