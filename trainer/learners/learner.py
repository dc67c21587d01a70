"""The interface of every family that is trained: features of images, and a loss that is a sum.

The counterpart of ``shared.vqa.answerer``: a learner trains the network that its answerer asks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch

from shared.records import QAPair
from shared.vqa.answerer import Answerer
from shared.vqa.loading import MAX_QUESTION_TOKENS, LoadedModel, quiet_renames

Features = Sequence[torch.Tensor]
"""Of each image what is computed once, ``(L, D)``; L may differ between images."""


class Tokenised(Protocol):
    """Pairs as a family's network reads them."""

    @property
    def loss_terms(self) -> int:
        """How many terms their loss sums, which is what a step's loss is divided by."""
        ...


Examples = TypeVar("Examples", bound=Tokenised)


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """Where questions and answers are cut, in tokens."""

    question: int = MAX_QUESTION_TOKENS
    answer: int = MAX_QUESTION_TOKENS


class Learner(ABC, Generic[Examples]):
    """A loaded model that learns."""

    family: ClassVar[str]
    towers: ClassVar[tuple[str, ...]]
    """The parts of the network, by the beginning of their layers' names."""
    layer_names: ClassVar[str]
    """Ends of names that an adapter can be put on, for people."""

    def __init__(self, answerer: Answerer[Any, Any], limits: TokenLimits) -> None:
        self.answerer, self._limits = answerer, limits

    @property
    def model(self) -> LoadedModel:
        """The model that is trained."""
        return self.answerer.model

    @property
    @abstractmethod
    def image_encoder(self) -> tuple[str, ...]:
        """The parts that an image's features come out of, by the beginning of their names."""

    @property
    @abstractmethod
    def feature_shape(self) -> tuple[int, int]:
        """The largest ``(L, D)`` that an image's features can have."""

    @property
    @abstractmethod
    def image_side(self) -> int:
        """The side of the square input, in pixels."""

    @property
    def trains_image_encoder(self) -> bool:
        """Whether training changes what an image's features are computed by."""
        return any(
            weight.requires_grad
            for name, weight in self.model.network.named_parameters()
            if name.startswith(tuple(f"{part}." for part in self.image_encoder))
        )

    @abstractmethod
    def encode(self, pixels: Sequence[torch.Tensor]) -> Features:
        """Return the features of images that the answerer prepared, differentiably."""

    @abstractmethod
    def remember(self, features: Features) -> object:
        """Return what the answerer remembers of images with these features."""

    @abstractmethod
    def tokenise(self, pairs: Sequence[QAPair]) -> Examples:
        """Return the pairs as the network reads them."""

    @abstractmethod
    def loss_sum(
        self, features: Features, image_of: Sequence[int], examples: Examples
    ) -> torch.Tensor:
        """Return the summed loss of the examples (a scalar), each about its image in ``features``.

        A sum, so that dividing by the terms of a whole step gives the same loss however the step
        is cut into micro-batches.
        """

    def checkpoint_activations(self) -> None:
        """Compute activations again in the backward pass, to save memory; the loss stays."""
        with quiet_renames():
            self.model.network.activation_checkpointing_enable({"use_reentrant": False})
        # Only re-entrant checkpoints need inputs with a gradient; BLIP adds position embeddings
        # in place to what would then be a leaf with one.
        self.model.network.disable_input_require_grads()
