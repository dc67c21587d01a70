"""BLIP: the vision tower's output is computed once; the loss is that of every answer token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from shared.records import QAPair
from shared.vqa.blip.config import image_size, token_ids
from shared.vqa.blip.forward import answer_loss_sum, answer_token_count, encode_images
from shared.vqa.blip.inference import ImageMemory, memory_of
from shared.vqa.blip.text import AnswerBatch, TokenBatch, answer_batch, question_batch
from shared.vqa.preprocessing import to_device
from trainer.learners.learner import Features, Learner
from trainer.recipe import REPORT_TARGETS


@dataclass(frozen=True, slots=True)
class BlipExamples:
    """Questions for the text encoder and answers for the decoder."""

    questions: TokenBatch
    answers: AnswerBatch

    @property
    def loss_terms(self) -> int:
        """Answer tokens, with the end."""
        return answer_token_count(self.answers)


class BlipLearner(Learner[BlipExamples]):
    """Trains BLIP for VQA."""

    family = "BLIP"
    towers = ("vision_model", "text_encoder", "text_decoder")
    layer_names = "query, key, value, dense (text) and qkv, projection, fc1, fc2 (vision)"
    default_targets = REPORT_TARGETS
    image_encoder = ("vision_model",)
    kept = "output of the vision tower"

    @property
    def feature_shape(self) -> tuple[int, int]:
        """Image tokens with the class token, and their width."""
        vision = self.model.blip.config.vision_config
        return (vision.image_size // vision.patch_size) ** 2 + 1, vision.hidden_size

    def input_shape(self, image: Image.Image) -> tuple[int, int]:
        """Return the side of the square input, twice."""
        del image
        side = image_size(self.model.blip.config)
        return side, side

    def encode(self, pixels: Sequence[torch.Tensor]) -> Features:
        """Run the vision tower."""
        blip = self.model.blip
        pixels_NCHW = to_device(torch.cat(list(pixels)), self.model.device, blip.dtype)
        return encode_images(blip, pixels_NCHW).unbind()

    def remember(self, features: Features) -> ImageMemory:
        """Project the keys and values of the cross-attention."""
        return memory_of(self.model, torch.stack(list(features)))

    def tokenise(self, pairs: Sequence[QAPair]) -> BlipExamples:
        """Tokenise questions and answers apart."""
        tokenizer, ids = self.model.tokenizer, token_ids(self.model.blip.config)
        questions, answers = [p.question for p in pairs], [p.answer for p in pairs]
        return BlipExamples(
            question_batch(tokenizer, questions, ids, self._limits.question),
            answer_batch(tokenizer, answers, ids, self._limits.answer),
        )

    def loss_sum(
        self, features: Features, image_of: Sequence[int], examples: BlipExamples
    ) -> torch.Tensor:
        """Return the cross-entropy of all answer tokens, in nats."""
        device = self.model.device
        return answer_loss_sum(
            self.model.blip,
            torch.stack(list(features)),
            examples.questions.to(device),
            examples.answers.to(device),
            image_of_B=torch.tensor(image_of, device=device),
        )
