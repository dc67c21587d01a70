"""BLIP's towers as three ONNX graphs, cut where the work repeats: per image, question and token.

- image encoder: once per image; also projects the keys and values that the question encoder's
  cross-attention reads, so that a device encodes an image once for all its questions;
- question encoder: once per question, under its true mask; also projects the keys and values that
  the decoder's cross-attention reads;
- decoder step: once per token said, with the keys and values of the answer so far.

Shapes, besides those of ``shared.vqa``: Y layers, K heads, E = D / K, S answer tokens so far. One
tensor holds the keys of all layers, and one the values.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import BlipForQuestionAnswering

from shared.onnx_vqa.manifest import BLIP
from shared.vqa.blip.config import token_ids
from shared.vqa.blip.heads import joined_heads, split_heads
from shared.vqa.blip.towers import image_features, image_keys_and_values
from shared.vqa.inputs.instruction import MAX_NEW_TOKENS
from shared.vqa.loaded import LoadedModel
from trainer.export.families.exportable import Exportable
from trainer.export.families.pixels import image_rules
from trainer.export.families.questions import prompt_rules
from trainer.export.graphs import Graph
from trainer.export.rows import Rows

IMAGE_ENCODER: Final = "image_encoder"
QUESTION_ENCODER: Final = "question_encoder"
DECODER_STEP: Final = "decoder_step"
GRAPHS: Final = (IMAGE_ENCODER, QUESTION_ENCODER, DECODER_STEP)

_N, _B, _T, _S = 2, 3, 7, 4
"""Sizes to trace with."""


class ImageEncoder(nn.Module):
    """Pixels ``(N, C, H, W)`` to features ``(N, L, D)``, keys and values ``(Y, N, K, L, E)``."""

    def __init__(self, blip: BlipForQuestionAnswering) -> None:
        super().__init__()
        self.blip = blip

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Encode the images."""
        features_NLD = image_features(self.blip, pixels)
        layers = image_keys_and_values(self.blip, features_NLD)
        keys = torch.stack([layer.keys for layer in layers])
        values = torch.stack([layer.values for layer in layers])
        return features_NLD, keys, values


class QuestionEncoder(nn.Module):
    """Questions about one image to the keys and values that decoding reads, ``(Y, B, K, T, E)``."""

    def __init__(self, blip: BlipForQuestionAnswering) -> None:
        super().__init__()
        self.tower = blip.text_encoder
        self.decoder_layers = blip.text_decoder.bert.encoder.layer

    def forward(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor,
        image_keys: torch.Tensor,
        image_values: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Read the questions.

        ``ids`` and ``mask`` (1 for a real token) are ``(B, T)``, the image's keys and values
        ``(Y, K, L, E)``.
        """
        # Of a mask with one row for all tokens onnxruntime's Attention makes an error.
        seen_B1TT = mask.bool()[:, None, None, :].expand(-1, -1, ids.shape[1], -1)
        positions_1T = torch.arange(ids.shape[1], device=ids.device)[None]
        states_BTD = self.tower.embeddings(input_ids=ids, position_ids=positions_1T)
        for number, layer in enumerate(self.tower.encoder.layer):
            attention, cross = layer.attention, layer.crossattention
            queries, keys, values = (
                split_heads(projection(states_BTD), attention)
                for projection in (attention.self.query, attention.self.key, attention.self.value)
            )
            context = scaled_dot_product_attention(queries, keys, values, attn_mask=seen_B1TT)
            states_BTD = attention.output(joined_heads(context), states_BTD)
            queries = split_heads(cross.self.query(states_BTD), cross)
            context = _at_image(queries, image_keys[number], image_values[number])
            states_BTD = cross.output(joined_heads(context), states_BTD)
            states_BTD = layer.feed_forward_chunk(states_BTD)
        heard = [layer.crossattention for layer in self.decoder_layers]
        return (
            torch.stack([split_heads(cross.self.key(states_BTD), cross) for cross in heard]),
            torch.stack([split_heads(cross.self.value(states_BTD), cross) for cross in heard]),
        )


class DecoderStep(nn.Module):
    """The token said last to the logits of the next, ``(B, V)``, and keys and values with it."""

    def __init__(self, blip: BlipForQuestionAnswering) -> None:
        super().__init__()
        self.tower = blip.text_decoder.bert
        self.head = blip.text_decoder.cls

    def forward(
        self,
        *,
        token: torch.Tensor,
        position: torch.Tensor,
        mask: torch.Tensor,
        question_keys: torch.Tensor,
        question_values: torch.Tensor,
        past_keys: torch.Tensor,
        past_values: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Decode one step.

        ``token`` is ``(B, 1)``, ``position`` ``(1, 1)``, ``mask`` ``(B, T)``; the question's keys
        and values are ``(Y, B, K, T, E)``, those of the answer so far ``(Y, B, K, S, E)``.
        """
        seen_B11T = mask.bool()[:, None, None, :]
        states_B1D = self.tower.embeddings(input_ids=token, position_ids=position)
        all_keys, all_values = [], []
        for number, layer in enumerate(self.tower.encoder.layer):
            attention, cross = layer.attention, layer.crossattention
            queries, fresh_keys, fresh_values = (
                split_heads(projection(states_B1D), attention)
                for projection in (attention.self.query, attention.self.key, attention.self.value)
            )
            keys = torch.cat((past_keys[number], fresh_keys), dim=2)
            values = torch.cat((past_values[number], fresh_values), dim=2)
            all_keys.append(keys)
            all_values.append(values)
            context = scaled_dot_product_attention(queries, keys, values)
            states_B1D = attention.output(joined_heads(context), states_B1D)
            queries = split_heads(cross.self.query(states_B1D), cross)
            context = scaled_dot_product_attention(
                queries, question_keys[number], question_values[number], attn_mask=seen_B11T
            )
            states_B1D = cross.output(joined_heads(context), states_B1D)
            states_B1D = layer.feed_forward_chunk(states_B1D)
        logits_BV = self.head(states_B1D)[:, 0]
        return logits_BV, torch.stack(all_keys), torch.stack(all_values)


def exportable_blip(model: LoadedModel) -> Exportable:
    """Return a BLIP's graphs; every batch and length is dynamic.

    Raises:
        InputError: the model's preprocessing does something else than the runtime can.
    """
    ids = token_ids(model.blip.config)
    return Exportable(
        model,
        BLIP,
        {
            IMAGE_ENCODER: _image_encoder(model.blip),
            QUESTION_ENCODER: _question_encoder(model.blip),
            DECODER_STEP: _decoder_step(model.blip),
        },
        {
            "tokens": {"start": ids.start, "end": ids.end, "pad": ids.pad},
            "prompt": prompt_rules(model.instruction.template),
            "max_question_tokens": model.max_question_tokens,
            "max_new_tokens": MAX_NEW_TOKENS,
            "image": image_rules(model.image_processor),
        },
    )


def _image_encoder(blip: BlipForQuestionAnswering) -> Graph:
    side = blip.config.vision_config.image_size
    return Graph(
        ImageEncoder(blip),
        {"pixels": torch.zeros(_N, 3, side, side)},
        {"pixels": {0: "N"}},
        ("features", "image_keys", "image_values"),
        Rows.MANY,
    )


def _question_encoder(blip: BlipForQuestionAnswering) -> Graph:
    vision = blip.config.vision_config
    layers, heads, size = _cache(blip)
    image = (layers, heads, (vision.image_size // vision.patch_size) ** 2 + 1, size)
    return Graph(
        QuestionEncoder(blip),
        {
            "ids": torch.zeros(_B, _T, dtype=torch.long),
            "mask": torch.ones(_B, _T, dtype=torch.long),
            "image_keys": torch.zeros(image),
            "image_values": torch.zeros(image),
        },
        {"ids": {0: "B", 1: "T"}, "mask": {0: "B", 1: "T"}},
        ("question_keys", "question_values"),
    )


def _decoder_step(blip: BlipForQuestionAnswering) -> Graph:
    layers, heads, size = _cache(blip)
    question, answer = (layers, _B, heads, _T, size), (layers, _B, heads, _S, size)
    return Graph(
        DecoderStep(blip),
        {
            "token": torch.zeros(_B, 1, dtype=torch.long),
            "position": torch.zeros(1, 1, dtype=torch.long),
            "mask": torch.ones(_B, _T, dtype=torch.long),
            "question_keys": torch.zeros(question),
            "question_values": torch.zeros(question),
            "past_keys": torch.zeros(answer),
            "past_values": torch.zeros(answer),
        },
        {
            "token": {0: "B"},
            "mask": {0: "B", 1: "T"},
            "question_keys": {1: "B", 3: "T"},
            "question_values": {1: "B", 3: "T"},
            "past_keys": {1: "B", 3: "S"},
            "past_values": {1: "B", 3: "S"},
        },
        ("logits", "keys", "values"),
    )


def _cache(blip: BlipForQuestionAnswering) -> tuple[int, int, int]:
    text = blip.config.text_config
    heads = text.num_attention_heads
    return text.num_hidden_layers, heads, text.hidden_size // heads


def _at_image(
    queries_BKTE: torch.Tensor, keys_KLE: torch.Tensor, values_KLE: torch.Tensor
) -> torch.Tensor:
    """Attention of all questions' tokens to one image, in one product."""
    batch, heads, length, size = queries_BKTE.shape
    queries_1KPE = queries_BKTE.transpose(0, 1).reshape(1, heads, batch * length, size)
    context_1KPE = scaled_dot_product_attention(queries_1KPE, keys_KLE[None], values_KLE[None])
    return context_1KPE.reshape(heads, batch, length, size).transpose(0, 1)
