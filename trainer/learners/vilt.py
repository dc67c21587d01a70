"""ViLT: words and patches share one transformer, so that only the patch embedding is kept.

The loss is that of ViLT's own fine-tuning: binary cross-entropy over all labels, here with the one
answer of a pair as its target. transformers takes the mean over the labels times their number,
which is the sum over the labels; a step's loss is its mean over the questions.
Model: Kim et al. 2021, "ViLT", arXiv:2102.03334, section 4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from shared.questions.answers import normalise
from shared.vqa.adapting.added_labels import HEAD, grow_head, make_head_trainable
from shared.vqa.answerer import Answerer
from shared.vqa.inputs.preprocessing import to_device
from shared.vqa.vilt import PatchMemory, answer_logits, patch_embeddings
from trainer.learners.learner import (
    Features,
    Learner,
    QuestionAndAnswer,
    TokenLimits,
    half_bytes,
)

MAX_STRETCH = 1333 / 800
"""ViLT's processor cuts no image longer than this many times its shorter side."""


@dataclass(frozen=True, slots=True)
class ViltExamples:
    """Questions, and the label of each one's answer."""

    questions: tuple[str, ...]
    labels: tuple[int, ...]

    @property
    def loss_terms(self) -> int:
        """Questions."""
        return len(self.questions)


class ViltLearner(Learner[ViltExamples]):
    """Trains ViLT for VQA to choose among its labels."""

    family = "ViLT"
    towers = ("vilt.embeddings", "vilt.encoder", "vilt.pooler", "classifier")
    layer_names = "query, key, value, dense (layers), classifier.0 and classifier.3"
    says_the_answer = (HEAD,)
    default_targets = ("query", "key", "value")
    image_encoder = ("vilt.embeddings.patch_embeddings",)
    feature_source = "patch embeddings; every layer runs again for every question"

    def __init__(self, answerer: Answerer[Any, Any], limits: TokenLimits) -> None:
        super().__init__(answerer, limits)
        self._label_of = {
            normalise(label): number
            for number, label in reversed(self.model.network.config.id2label.items())
        }

    @property
    def feature_shape(self) -> tuple[int, int]:
        """Patches of the longest image with the class token, and their width."""
        config = self.model.network.config
        shorter = self.model.image_processor.size["shortest_edge"]
        longer = int(MAX_STRETCH * shorter)
        patch = config.patch_size
        return (shorter // patch) * (longer // patch) + 1, config.hidden_size

    def stored_bytes(self, pictures: Sequence[Path]) -> int:
        """Return the bytes of the largest features, whatever the pictures are."""
        del pictures
        return half_bytes(self.feature_shape)

    def input_shape(self, image: Image.Image) -> tuple[int, int]:
        """Return the size that the processor gives to an image, which keeps its shape."""
        height, width = self.answerer.prepare(image).shape[-2:]
        return int(height), int(width)

    def encode(self, pixels: Sequence[torch.Tensor]) -> Features:
        """Embed the patches of each image, with their positions."""
        network, device = self.model.network, self.model.device
        return [
            patch_embeddings(network, to_device(pixels_1CHW, device, network.dtype))
            for pixels_1CHW in pixels
        ]

    def remember(self, features: Features) -> PatchMemory:
        """Return the patch embeddings."""
        return tuple(features)

    def can_say(self, answer: str) -> bool:
        """Return whether an answer, once normalised, is one of the labels."""
        return normalise(answer) in self._label_of

    def add_labels(self, answers: Sequence[str]) -> None:
        """Add the answers that are no label yet, in their order."""
        new = {normalise(answer): answer.strip() for answer in reversed(answers)}
        added = [new[name] for name in dict.fromkeys(map(normalise, answers))]
        self.added_labels = tuple(answer for answer in added if not self.can_say(answer))
        if not self.added_labels:
            return
        first = len(self.model.network.config.id2label)
        for number, label in enumerate(self.added_labels, start=first):
            self._label_of[normalise(label)] = number
        make_head_trainable(self.model.network)
        self.trained_whole = (HEAD,)

    def adapter_added(self) -> None:
        """Add the rows of the new labels to the copy of the last layer that is trained."""
        if self.added_labels:
            grow_head(self.model.network, self.added_labels)

    def tokenise(self, pairs: Sequence[QuestionAndAnswer]) -> ViltExamples:
        """Look up the label of every answer.

        Raises:
            KeyError: an answer is no label.
        """
        return ViltExamples(
            tuple(pair.question for pair in pairs),
            tuple(self._label_of[normalise(pair.answer)] for pair in pairs),
        )

    def loss_sum(
        self, features: Features, image_of: Sequence[int], examples: ViltExamples
    ) -> torch.Tensor:
        """Return the binary cross-entropy of every label of every question, in nats."""
        logits_BV = answer_logits(self.model, features, image_of, examples.questions)
        targets_BV = torch.zeros_like(logits_BV)
        targets_BV[range(len(examples.labels)), list(examples.labels)] = 1.0
        return binary_cross_entropy_with_logits(logits_BV, targets_BV, reduction="sum")

    def log_probabilities(
        self, features: Features, image_of: Sequence[int], examples: ViltExamples
    ) -> torch.Tensor:
        """Return those of yes and no, for each label of each question."""
        logits_A = answer_logits(self.model, features, image_of, examples.questions).flatten()
        return torch.stack((logsigmoid(logits_A), logsigmoid(-logits_A)), dim=-1)
