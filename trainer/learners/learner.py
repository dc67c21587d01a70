"""The interface of every family that is trained: features of images, and a loss that is a sum.

The counterpart of ``shared.vqa.answerer``: a learner trains the network that its answerer asks.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

import torch
from PIL import Image

from shared.errors import InputError
from shared.records import QAPair
from shared.vqa.adapting.adapters import quiet_renames
from shared.vqa.answerer import Answerer
from shared.vqa.inputs.question_length import MAX_QUESTION_TOKENS, lower_question_limit
from shared.vqa.loaded import LoadedModel
from trainer.recipe.recipe import RegionsRecipe

Features = Sequence[Any]
"""Of each image what is computed once: ``(L, D)``, where L may differ between images, or what else
a family makes of it."""

HALF_BYTES: Final = 2
"""Bytes of a number of a feature, as it is stored."""


class QuestionAndAnswer(Protocol):
    """What is read of a pair: what is asked, and what is to be said, which may be nothing."""

    @property
    def question(self) -> str:
        """What is asked."""
        ...

    @property
    def answer(self) -> str:
        """What is to be said."""
        ...


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


def half_bytes(shape: tuple[int, int]) -> int:
    """Return how many bytes stored features of a shape take."""
    return math.prod(shape) * HALF_BYTES


class Learner(ABC, Generic[Examples]):
    """A loaded model that learns."""

    family: ClassVar[str]
    towers: tuple[str, ...]
    """The parts of the network, by the beginning of their layers' names."""
    layer_names: ClassVar[str]
    """Ends of names that an adapter can be put on, for people."""
    says_the_answer: tuple[str, ...] = ()
    """Ends of names of last layers that PEFT takes for one among all linear ones."""
    added_labels: tuple[str, ...] = ()
    """Answers that training added to those of the base."""
    trained_whole: tuple[str, ...] = ()
    """Layers that are trained and kept beside the adapter, by the ends of their names."""

    def __init__(self, answerer: Answerer[Any, Any], limits: TokenLimits) -> None:
        self.answerer, self._limits = answerer, limits
        if answerer.cuts_questions:
            # Kept beside the adapter, so that questions are cut alike when the model answers.
            lower_question_limit(answerer.model.tokenizer, limits.question)

    @property
    def model(self) -> LoadedModel:
        """The model that is trained."""
        return self.answerer.model

    @property
    @abstractmethod
    def default_targets(self) -> tuple[str, ...] | str:
        """The layers that get an adapter unless the recipe names some, as PEFT takes them."""

    @property
    @abstractmethod
    def feature_source(self) -> str:
        """What an image's features are, for people."""

    @property
    @abstractmethod
    def image_encoder(self) -> tuple[str, ...]:
        """The parts that an image's features come out of, by the beginning of their names."""

    @property
    def trains_image_encoder(self) -> bool:
        """Whether training changes what an image's features are computed by."""
        return any(
            weight.requires_grad
            for name, weight in self.model.network.named_parameters()
            if name.startswith(tuple(f"{part}." for part in self.image_encoder))
        )

    @abstractmethod
    def input_shape(self, image: Image.Image) -> tuple[int, int]:
        """Return the height and width that an image is resized to, in pixels."""

    def prepare_changed(self, picture_1CHW: torch.Tensor) -> Any:  # noqa: ANN401 (as the answerer prepares it)
        """Return what ``encode`` takes of a picture in [0, 1] that has the right size already."""
        processor = self.model.image_processor
        mean, std = (
            torch.tensor(numbers).view(1, 3, 1, 1)
            for numbers in (processor.image_mean, processor.image_std)
        )
        return (picture_1CHW - mean) / std

    @abstractmethod
    def encode(self, pixels: Sequence[Any]) -> Features:
        """Return the features of images that the answerer prepared, differentiably."""

    @abstractmethod
    def stored_bytes(self, pictures: Sequence[Path]) -> int:
        """Return how many bytes the stored features of one of these pictures take at most."""

    def tensors_of(self, image: Any) -> dict[str, torch.Tensor]:  # noqa: ANN401 (one of ``Features``)
        """Return the features of one image as tensors that can be stored, by name."""
        return {"features": image}

    def image_of(self, tensors: Mapping[str, torch.Tensor]) -> Any:  # noqa: ANN401 (one of ``Features``)
        """Return the features of one image again, from the tensors that they were stored as."""
        return tensors["features"]

    @abstractmethod
    def remember(self, features: Features) -> object:
        """Return what the answerer remembers of images with these features."""

    def can_say(self, answer: str) -> bool:
        """Return whether the network has a way to say an answer; generating ones say anything."""
        del answer
        return True

    def add_labels(self, answers: Sequence[str]) -> None:
        """Give the network those answers that it cannot say, before an adapter is put on it.

        Raises:
            InputError: the family has no list of answers.
        """
        del answers
        raise InputError(
            f'answers = "extend" is for models that choose among labels; {self.family} '
            "generates its answers, so leave it out"
        )

    def adapter_added(self) -> None:
        """Hear that the adapter's layers are in the network."""

    @abstractmethod
    def tokenise(self, pairs: Sequence[QuestionAndAnswer]) -> Examples:
        """Return the pairs as the network reads them."""

    @abstractmethod
    def loss_sum(
        self, features: Features, image_of: Sequence[int], examples: Examples
    ) -> torch.Tensor:
        """Return the summed loss of the examples (a scalar), each about its image in ``features``.

        A sum, so that dividing by the terms of a whole step gives the same loss however the step
        is cut into micro-batches.
        """

    @abstractmethod
    def log_probabilities(
        self, features: Features, image_of: Sequence[int], examples: Examples
    ) -> torch.Tensor:
        """Return the log-probability ``(A, C)`` of every choice, in float32 and nats.

        A row for each of the A choices that examples make of the network: which of the C tokens an
        answer goes on with, given those before, or whether a label is the answer. Always in the
        same order.
        """

    def supervise_regions(self, regions: RegionsRecipe, pairs: Sequence[QAPair]) -> None:  # noqa: ARG002 (for those who can)
        """Add the loss of ``regions`` to that of those training pairs that have boxes.

        Raises:
            InputError: the family has no attention that could be supervised, or not this layer.
        """
        raise InputError(
            f"regions.weight = {regions.weight:g}: {self.family} has no cross-attention from the "
            "question to the picture; set it to 0"
        )

    def checkpoint_activations(self) -> None:
        """Compute activations again in the backward pass, to save memory; the loss stays."""
        with quiet_renames():
            self.model.network.activation_checkpointing_enable({"use_reentrant": False})
        # Only re-entrant checkpoints need inputs with a gradient; BLIP adds position embeddings
        # in place to what would then be a leaf with one.
        self.model.network.disable_input_require_grads()
