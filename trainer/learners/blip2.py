"""BLIP-2: the Q-Former's output is computed once; the loss is that of every answer token.

Where an adapter is in the Q-Former, the vision tower's output is what is kept. The language model
reads the projected queries, the evaluator's own prompt and, from where it begins to generate, the
answer and its end token.
Model: Li et al. 2023, "BLIP-2", arXiv:2301.12597.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch.nn.functional import cross_entropy, pad

from shared.errors import InputError
from shared.vqa.answerer import Answerer
from shared.vqa.blip.text import IGNORED_LABEL, pad_right, token_lists
from shared.vqa.blip2 import (
    Blip2Answerer,
    QueryMemory,
    padding_id,
    projected_queries,
    query_outputs,
    vision_features,
)
from shared.vqa.greedy import end_tokens
from shared.vqa.inputs.preprocessing import to_device
from trainer.learners.learner import (
    Features,
    Learner,
    QuestionAndAnswer,
    TokenLimits,
    half_bytes,
)

DECODER_TARGETS = ("q_proj", "k_proj", "v_proj")
ENCODER_DECODER_TARGETS = ("q", "k", "v")


@dataclass(frozen=True, slots=True)
class Blip2Examples:
    """Token ids of prompts, and of answers with their end."""

    prompts: tuple[tuple[int, ...], ...]
    answers: tuple[tuple[int, ...], ...]

    @property
    def loss_terms(self) -> int:
        """Answer tokens, with the end."""
        return sum(map(len, self.answers))


class Blip2Learner(Learner[Blip2Examples]):
    """Trains BLIP-2 with a decoder (OPT) or an encoder-decoder (T5)."""

    family = "BLIP-2"
    towers = ("vision_model", "qformer", "language_projection", "language_model")
    layer_names = (
        "q_proj, k_proj, v_proj, out_proj, fc1, fc2 (OPT), q, k, v, o, wi_0, wi_1 (T5), "
        "query, key, value, dense (Q-Former), language_projection, and qkv, projection, fc1, fc2 "
        "(vision)"
    )

    def __init__(self, answerer: Answerer[Any, Any], limits: TokenLimits) -> None:
        super().__init__(answerer, limits)
        network = self.model.network
        self._language = network.language_model
        self._translates = bool(self._language.config.is_encoder_decoder)
        self._pad = padding_id(network)
        ends = end_tokens(self._language)
        if not ends:
            raise InputError(f"{self.model.name}: its language model names no end token")
        self._end = min(ends)

    @property
    def default_targets(self) -> tuple[str, ...]:
        """The language model's attention; the Q-Former stays as it is, so its output is kept."""
        return ENCODER_DECODER_TARGETS if self._translates else DECODER_TARGETS

    @property
    def _trains_queries(self) -> bool:
        return any(weight.requires_grad for weight in self.model.network.qformer.parameters())

    @property
    def image_encoder(self) -> tuple[str, ...]:
        """The vision tower, and the Q-Former unless it is trained."""
        return ("vision_model",) if self._trains_queries else ("vision_model", "qformer")

    @property
    def feature_source(self) -> str:
        """The output of the last part that is not trained."""
        if self._trains_queries:
            return "output of the vision tower, since the Q-Former is trained"
        return "output of the Q-Former"

    @property
    def feature_shape(self) -> tuple[int, int]:
        """Queries, or image tokens with the class token, and their width."""
        config = self.model.network.config
        if not self._trains_queries:
            return config.num_query_tokens, config.qformer_config.hidden_size
        vision = config.vision_config
        return (vision.image_size // vision.patch_size) ** 2 + 1, vision.hidden_size

    def stored_bytes(self, pictures: Sequence[Path]) -> int:
        """Return the bytes of the largest features, whatever the pictures are."""
        del pictures
        return half_bytes(self.feature_shape)

    def input_shape(self, image: Image.Image) -> tuple[int, int]:
        """Return the side of the square input, twice."""
        del image
        side = int(self.model.network.config.vision_config.image_size)
        return side, side

    def encode(self, pixels: Sequence[torch.Tensor]) -> Features:
        """Run the vision tower, and the Q-Former unless it is trained."""
        network = self.model.network
        pixels_NCHW = to_device(torch.cat(list(pixels)), self.model.device, network.dtype)
        features_NLD = vision_features(network, pixels_NCHW)
        if self._trains_queries:
            return features_NLD.unbind()
        return query_outputs(network, features_NLD).unbind()

    def _queries(self, features: Features) -> torch.Tensor:
        network, features_NLD = self.model.network, torch.stack(list(features))
        if self._trains_queries:
            features_NLD = query_outputs(network, features_NLD)
        return projected_queries(network, features_NLD)

    def remember(self, features: Features) -> QueryMemory:
        """Let a decoder read the queries."""
        assert isinstance(self.answerer, Blip2Answerer)
        return self.answerer.remember_queries(self._queries(features))

    def tokenise(self, pairs: Sequence[QuestionAndAnswer]) -> Blip2Examples:
        """Tokenise the prompts as the answerer does, and the answers as they are generated."""
        tokenizer = self.model.tokenizer
        assert isinstance(self.answerer, Blip2Answerer)
        prompts = self.answerer.prompts([pair.question for pair in pairs])
        # A decoder goes on after "Answer:" with a space, which is part of its next token.
        before = "" if self._translates else " "
        spoken = [f"{before}{pair.answer}" if pair.answer else "" for pair in pairs]
        answers = tokenizer(
            spoken, truncation=True, max_length=self._limits.answer - 1, add_special_tokens=False
        )["input_ids"]
        return Blip2Examples(
            tuple(map(tuple, token_lists(tokenizer, prompts, self.model.max_question_tokens))),
            tuple((*answer, self._end) for answer in answers),
        )

    def loss_sum(
        self, features: Features, image_of: Sequence[int], examples: Blip2Examples
    ) -> torch.Tensor:
        """Return the cross-entropy of all answer tokens, in nats."""
        logits_BTV, labels_BT = self._said(features, image_of, examples)
        return cross_entropy(
            logits_BTV.flatten(0, 1).float(),
            labels_BT.flatten(),
            ignore_index=IGNORED_LABEL,
            reduction="sum",
        )

    def log_probabilities(
        self, features: Features, image_of: Sequence[int], examples: Blip2Examples
    ) -> torch.Tensor:
        """Return those of all tokens, for each token of the answers."""
        logits_BTV, labels_BT = self._said(features, image_of, examples)
        return logits_BTV[labels_BT != IGNORED_LABEL].float().log_softmax(-1)

    def _said(
        self, features: Features, image_of: Sequence[int], examples: Blip2Examples
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits ``(B, T, V)`` and what they should be."""
        queries_BLD = self._queries(features)[torch.tensor(image_of, device=self.model.device)]
        if self._translates:
            return self._translated(queries_BLD, examples)
        return self._continued(queries_BLD, examples)

    def _continued(
        self, queries_BLD: torch.Tensor, examples: Blip2Examples
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a decoder's logits ``(B, T, V)`` of prompt and answer, and what they should be."""
        pieces = zip(examples.prompts, examples.answers, strict=True)
        labels = [[IGNORED_LABEL] * len(prompt) + [*answer] for prompt, answer in pieces]
        pieces = zip(examples.prompts, examples.answers, strict=True)
        rows = [[*prompt, *answer] for prompt, answer in pieces]
        words_BTD, mask_BT = self._read(queries_BLD, rows)
        logits_BTV = self._language(
            inputs_embeds=words_BTD,
            attention_mask=mask_BT,
            use_cache=False,
            # The last query says the first word.
            logits_to_keep=words_BTD.shape[1] - queries_BLD.shape[1] + 1,
        ).logits
        said_BTV = logits_BTV[:, :-1]
        return said_BTV, pad_right(labels, IGNORED_LABEL).ids_BT.to(said_BTV.device)

    def _translated(
        self, queries_BLD: torch.Tensor, examples: Blip2Examples
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return an encoder-decoder's logits ``(B, T, V)`` of answers, and what they should be."""
        words_BTD, mask_BT = self._read(queries_BLD, examples.prompts)
        start = self._language.config.decoder_start_token_id
        begun = pad_right([[start, *answer[:-1]] for answer in examples.answers], self._pad)
        begun = begun.to(self.model.device)
        logits_BTV = self._language(
            inputs_embeds=words_BTD,
            attention_mask=mask_BT,
            decoder_input_ids=begun.ids_BT,
            decoder_attention_mask=begun.mask_BT,
            use_cache=False,
        ).logits
        labels_BT = pad_right(examples.answers, IGNORED_LABEL).ids_BT
        return logits_BTV, labels_BT.to(logits_BTV.device)

    def _read(
        self, queries_BLD: torch.Tensor, rows: Sequence[Sequence[int]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return embeddings of queries and tokens, and their mask, padded on the right."""
        tokens = pad_right(rows, self._pad).to(self.model.device)
        words_BTD = self._language.get_input_embeddings()(tokens.ids_BT)
        read_BTD = torch.cat((queries_BLD, words_BTD.to(queries_BLD.dtype)), dim=1)
        return read_BTD, pad(tokens.mask_BT, (queries_BLD.shape[1], 0), value=1)
