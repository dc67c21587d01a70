"""Which pairs each step sees: a pure function of seed and step, so that a run can resume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from shared.records import QAPair
from shared.records.grouping import by_image


@dataclass(frozen=True)
class Batches:
    """Cuts shuffled pairs into steps of ``accumulation`` micro-batches of ``batch_size``.

    Images are shuffled, and the questions of each stand together in a random order, so that a
    batch needs few images. The last step of an epoch may be smaller; no pair is dropped or seen
    twice in an epoch.
    """

    pairs: Sequence[QAPair]
    batch_size: int
    accumulation: int
    seed: int
    _orders: dict[int, list[QAPair]] = field(default_factory=dict, init=False, repr=False)

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps that one pass over the pairs takes."""
        return -(-len(self.pairs) // (self.batch_size * self.accumulation))

    def micro_batches(self, step: int, part: int = 0, of: int = 1) -> list[list[QAPair]]:
        """Return the micro-batches of a step, counted from 0 over all epochs.

        Of ``of`` parts of the step, which together are all of it, it is that one, from 0.
        """
        epoch, index = divmod(step, self.steps_per_epoch)
        order = self._order(epoch)
        size = self.batch_size * self.accumulation
        whole = order[index * size : (index + 1) * size]
        chosen = whole[len(whole) * part // of : len(whole) * (part + 1) // of]
        return [
            chosen[first : first + self.batch_size]
            for first in range(0, len(chosen), self.batch_size)
        ]

    def _order(self, epoch: int) -> list[QAPair]:
        if epoch in self._orders:
            return self._orders[epoch]
        random = np.random.default_rng((self.seed, epoch))
        shuffled = random.permutation(len(self.pairs))
        groups = list(by_image(self.pairs[index] for index in shuffled).values())
        order = [pair for image in random.permutation(len(groups)) for pair in groups[image]]
        self._orders.clear()
        self._orders[epoch] = order
        return order
