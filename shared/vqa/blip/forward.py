"""The three forward passes of BLIP for VQA, apart, so that each runs once for what it depends on.

``BlipForQuestionAnswering.forward`` encodes the image again for every question, counts padding in
its loss and lets padding leak into generated answers (it replaces the question's mask by ones).
Here the caller decides which image features serve which question, and every mask is the true one;
for that, a model is first given to ``heed_question_mask``.
Model: Li et al. 2022, "BLIP: Bootstrapping Language-Image Pre-training", arXiv:2201.12086.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import BlipForQuestionAnswering, DynamicCache, EncoderDecoderCache

from shared.vqa.blip.heads import split_heads
from shared.vqa.blip.text import IGNORED_LABEL, AnswerBatch, TokenBatch


def heed_question_mask(model: BlipForQuestionAnswering) -> None:
    """Make the decoder's cross-attention heed ``encoder_attention_mask``, in place.

    In transformers 5.23 ``BlipTextLayer`` passes that mask on as ``attention_mask``, which
    ``BlipTextSelfAttention`` ignores in cross-attention, so that the padding of short questions
    reaches every answer.
    """
    for layer in model.text_decoder.bert.encoder.layer:
        layer.crossattention.self.register_forward_pre_hook(_name_mask, with_kwargs=True)


def _name_mask(
    _: torch.nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if named.get("encoder_attention_mask") is None:
        named = {**named, "encoder_attention_mask": named.get("attention_mask")}
    return arguments, named


def encode_images(model: BlipForQuestionAnswering, pixels_NCHW: torch.Tensor) -> torch.Tensor:
    """Return image features ``(N, L, D)``; the class token comes first."""
    features: torch.Tensor = model.vision_model(pixel_values=pixels_NCHW).last_hidden_state
    return features


def encode_questions(
    model: BlipForQuestionAnswering, questions: TokenBatch, features_BLD: torch.Tensor
) -> torch.Tensor:
    """Return question states ``(B, T, D)``, each having looked at its own image."""
    states: torch.Tensor = model.text_encoder(
        input_ids=questions.ids_BT,
        attention_mask=questions.mask_BT,
        encoder_hidden_states=features_BLD,
    ).last_hidden_state
    return states


def encode_questions_of_images(
    model: BlipForQuestionAnswering,
    questions: TokenBatch,
    features_NLD: torch.Tensor,
    image_of_B: torch.Tensor,
) -> torch.Tensor:
    """Return question states ``(B, T, D)`` like ``encode_questions``, N images serving B questions.

    The keys and values of an image are projected once for all its questions, and gradients flow
    through them. Gradient checkpointing drops such caches, so there each question has its own.
    """
    features_BLD = features_NLD[image_of_B]
    if model.is_activation_checkpointing and model.training:
        return encode_questions(model, questions, features_BLD)
    images = DynamicCache()
    for number, layer in enumerate(model.text_encoder.encoder.layer):
        cross = layer.crossattention
        keys = split_heads(cross.self.key(features_NLD), cross)
        values = split_heads(cross.self.value(features_NLD), cross)
        images.update(keys[image_of_B], values[image_of_B], number)
    states: torch.Tensor = model.text_encoder(
        input_ids=questions.ids_BT,
        attention_mask=questions.mask_BT,
        # Its keys and values are in the cache; that it is given is what turns cross-attention on.
        encoder_hidden_states=features_BLD,
        past_key_values=EncoderDecoderCache(DynamicCache(), images),
    ).last_hidden_state
    return states


def answer_logits(
    model: BlipForQuestionAnswering,
    states_BTD: torch.Tensor,
    questions: TokenBatch,
    answers: TokenBatch,
) -> torch.Tensor:
    """Return next-token logits ``(B, T, V)`` under teacher forcing."""
    logits: torch.Tensor = model.text_decoder(
        input_ids=answers.ids_BT,
        attention_mask=answers.mask_BT,
        encoder_hidden_states=states_BTD,
        encoder_attention_mask=questions.mask_BT,
        use_cache=False,
    ).logits
    return logits


def answer_loss_sum(
    model: BlipForQuestionAnswering,
    features_NLD: torch.Tensor,
    questions: TokenBatch,
    answers: AnswerBatch,
    label_smoothing: float = 0.0,
    *,
    image_of_B: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the summed cross-entropy of all answer tokens, padding excluded (a scalar).

    ``image_of_B`` has the row of each question's image; without it row B belongs to question B.
    A sum, so that dividing by the answer tokens of a whole step gives the same loss however the
    step is cut into micro-batches.
    """
    if image_of_B is None:
        states_BTD = encode_questions(model, questions, features_NLD)
    else:
        states_BTD = encode_questions_of_images(model, questions, features_NLD, image_of_B)
    return loss_sum_of_states(model, states_BTD, questions, answers, label_smoothing)


def loss_sum_of_states(
    model: BlipForQuestionAnswering,
    states_BTD: torch.Tensor,
    questions: TokenBatch,
    answers: AnswerBatch,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Return ``answer_loss_sum`` of questions that were encoded before."""
    logits_BTV = answer_logits(model, states_BTD, questions, answers.inputs)
    return cross_entropy(
        logits_BTV.flatten(0, 1).float(),
        answers.labels_BT.flatten(),
        ignore_index=IGNORED_LABEL,
        label_smoothing=label_smoothing,
        reduction="sum",
    )


def answer_token_count(answers: AnswerBatch) -> int:
    """Return how many tokens the loss of ``answers`` counts."""
    return int((answers.labels_BT != IGNORED_LABEL).sum())
