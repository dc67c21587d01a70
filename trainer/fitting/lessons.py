"""What an adapter learns from: the pairs of each step, about the features of their images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from shared.records import QAPair
from trainer.data.batches import Batches
from trainer.data.features import ImageFeatures
from trainer.learners.learner import Learner, Tokenised
from trainer.training.team import ALONE, Team


@dataclass(frozen=True)
class AskedPairs:
    """A micro-batch of pairs, tokenised."""

    learner: Learner[Any]
    features: ImageFeatures
    pairs: Sequence[QAPair]
    tokenised: Tokenised

    @property
    def loss_terms(self) -> int:
        """How many terms the loss sums."""
        return self.tokenised.loss_terms

    def loss_sum(self) -> torch.Tensor:
        """Look the images up, each once; return the summed loss of the pairs (a scalar)."""
        names = dict.fromkeys(pair.filename for pair in self.pairs)
        rows = {name: row for row, name in enumerate(names)}
        image_of = [rows[pair.filename] for pair in self.pairs]
        return self.learner.loss_sum(self.features.of(list(rows)), image_of, self.tokenised)


@dataclass(frozen=True)
class PairLessons:
    """A device's share of the pairs of every step, as the learner reads them."""

    learner: Learner[Any]
    features: ImageFeatures
    batches: Batches
    team: Team = ALONE

    def micro_batches(self, step: int) -> list[AskedPairs]:
        """Return the micro-batches of a step, counted from 0 over all epochs."""
        return [
            AskedPairs(self.learner, self.features, pairs, self.learner.tokenise(pairs))
            for pairs in self.batches.micro_batches(step, self.team.number, self.team.size)
        ]
