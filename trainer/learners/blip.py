"""BLIP: the vision tower's output is computed once; the loss is that of every answer token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from PIL import Image

from shared.errors import InputError
from shared.records import QAPair
from shared.vqa.blip.config import image_size, token_ids
from shared.vqa.blip.forward import (
    answer_logits,
    answer_loss_sum,
    answer_token_count,
    encode_images,
    encode_questions_of_images,
    loss_sum_of_states,
)
from shared.vqa.blip.grounding import cross_attentions, default_layer, patch_map
from shared.vqa.blip.inference import ImageMemory, memory_of
from shared.vqa.blip.text import (
    IGNORED_LABEL,
    AnswerBatch,
    TokenBatch,
    answer_batch,
    question_batch,
)
from shared.vqa.inputs.preprocessing import to_device
from trainer.learners.learner import Features, Learner, QuestionAndAnswer, half_bytes
from trainer.learners.regions import (
    SMALLEST_SHARE,
    RegionSupervision,
    RegionTargets,
    contrastive_pairs,
    region_losses,
    region_targets,
)
from trainer.recipe.recipe import RegionsRecipe

REPORT_TARGETS = ("q_proj", "k_proj", "v_proj", "query", "key", "value")
"""Those of the AIM825 report.

They match the text towers alone; the vision tower's attention is one fused ``qkv``.
"""


@dataclass(frozen=True, slots=True)
class BlipExamples:
    """Questions for the text encoder and answers for the decoder.

    With ``targets``, their extra questions stand after those that have an answer.
    """

    questions: TokenBatch
    answers: AnswerBatch
    targets: RegionTargets | None = None

    @property
    def loss_terms(self) -> int:
        """Answer tokens, with the end."""
        return answer_token_count(self.answers)


class BlipLearner(Learner[BlipExamples]):
    """Trains BLIP for VQA."""

    family = "BLIP"
    towers = ("vision_model", "text_encoder", "text_decoder")
    layer_names = "query, key, value, dense (text) and qkv, projection, fc1, fc2 (vision)"
    says_the_answer = ("cls.predictions.decoder",)  # its weights are the word embeddings
    default_targets = REPORT_TARGETS
    image_encoder = ("vision_model",)
    feature_source = "output of the vision tower"
    _supervision: RegionSupervision | None = None

    @property
    def feature_shape(self) -> tuple[int, int]:
        """Image tokens with the class token, and their width."""
        vision = self.model.blip.config.vision_config
        return (vision.image_size // vision.patch_size) ** 2 + 1, vision.hidden_size

    def stored_bytes(self, pictures: Sequence[Path]) -> int:
        """Return the bytes of the largest features, whatever the pictures are."""
        del pictures
        return half_bytes(self.feature_shape)

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

    def tokenise(self, pairs: Sequence[QuestionAndAnswer]) -> BlipExamples:
        """Tokenise questions and answers separately."""
        tokenizer, ids = self.model.tokenizer, token_ids(self.model.blip.config)
        questions, answers = [p.question for p in pairs], [p.answer for p in pairs]
        targets = (
            region_targets(cast("Sequence[QAPair]", pairs), self._supervision)
            if self._supervision
            else None
        )
        if targets:
            questions += [pair.question for pair in targets.extra]
        return BlipExamples(
            question_batch(
                tokenizer, self.model.asked(questions), ids, self.model.max_question_tokens
            ),
            answer_batch(tokenizer, answers, ids, self._limits.answer),
            targets,
        )

    def loss_sum(
        self, features: Features, image_of: Sequence[int], examples: BlipExamples
    ) -> torch.Tensor:
        """Return the cross-entropy of all answer tokens, in nats, and the regions' loss."""
        device = self.model.device
        if examples.targets is not None:
            return self._supervised_loss_sum(
                torch.stack(list(features)), image_of, examples, examples.targets.to(device)
            )
        return answer_loss_sum(
            self.model.blip,
            torch.stack(list(features)),
            examples.questions.to(device),
            examples.answers.to(device),
            image_of_B=torch.tensor(image_of, device=device),
        )

    def log_probabilities(
        self, features: Features, image_of: Sequence[int], examples: BlipExamples
    ) -> torch.Tensor:
        """Return those of all tokens, for each token of the answers."""
        blip, device = self.model.blip, self.model.device
        questions, answers = examples.questions.to(device), examples.answers.to(device)
        image_of_B = torch.tensor(image_of, device=device)
        states_BTD = encode_questions_of_images(
            blip, questions, torch.stack(list(features)), image_of_B
        )
        logits_BTV = answer_logits(blip, states_BTD, questions, answers.inputs)
        return logits_BTV[answers.labels_BT != IGNORED_LABEL].float().log_softmax(-1)

    def supervise_regions(self, regions: RegionsRecipe, pairs: Sequence[QAPair]) -> None:
        """Pull the cross-attention of the question encoder into the boxes."""
        config = self.model.blip.config
        count = config.text_config.num_hidden_layers
        for layer in regions.layers:
            if not 1 <= layer <= count:
                raise InputError(
                    f"regions.layers: there is no layer {layer}; {self.model.name} has 1 to {count}"
                )
        side = config.vision_config.image_size // config.vision_config.patch_size
        self._supervision = RegionSupervision(
            regions.weight,
            regions.contrast,
            tuple(layer - 1 for layer in regions.layers) or (default_layer(count),),
            side,
            contrastive_pairs(pairs, side),
        )

    def _supervised_loss_sum(
        self,
        features_NLD: torch.Tensor,
        image_of: Sequence[int],
        examples: BlipExamples,
        targets: RegionTargets,
    ) -> torch.Tensor:
        """Return the answers' loss with the regions', each pair's weighted by its answer's tokens.

        So both are means over answer tokens once a step has divided them.
        """
        assert self._supervision is not None
        blip, device, supervision = self.model.blip, self.model.device, self._supervision
        questions, answers = examples.questions.to(device), examples.answers.to(device)
        beside = [image_of[row] for row in targets.extra_beside]
        image_of_N = torch.tensor([*image_of, *beside], device=device)
        with cross_attentions(blip, supervision.layers) as seen:
            states_NTD = encode_questions_of_images(blip, questions, features_NLD, image_of_N)
        attention_NTL = torch.stack([layer.float().mean(1) for layer in seen]).mean(0)
        maps_NP = patch_map(attention_NTL, questions.mask_BT)
        losses_B = region_losses(
            maps_NP / maps_NP.sum(1, keepdim=True).clamp(min=SMALLEST_SHARE),
            targets,
            supervision.contrast,
        )
        asked = slice(len(losses_B))
        own = TokenBatch(questions.ids_BT[asked], questions.mask_BT[asked])
        answer_loss = loss_sum_of_states(blip, states_NTD[asked], own, answers)
        tokens_B = (answers.labels_BT != IGNORED_LABEL).sum(1)
        return answer_loss + supervision.weight * (tokens_B * losses_B).sum()
