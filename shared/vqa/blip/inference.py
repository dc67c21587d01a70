"""Encode images once, answer many questions about them.

The image encoder is most of the work, and the text encoder's cross-attention projects keys and
values of every image token again for every question, though they depend on the image alone. Both
are kept per image here. The answers equal those of ``generate`` on each question alone: questions
are padded, but every mask is the true one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from transformers import DynamicCache, EncoderDecoderCache

from shared.vqa.blip.config import token_ids
from shared.vqa.blip.forward import encode_images
from shared.vqa.blip.text import TokenBatch, question_batch
from shared.vqa.loading import MAX_QUESTION_TOKENS, LoadedModel
from shared.vqa.preprocessing import pixel_values

MAX_NEW_TOKENS = 10


@dataclass(frozen=True, slots=True)
class ImageMemory:
    """What answering needs of N images, computed once.

    ``features_NLD`` are the encoder's outputs. ``keys`` and ``values`` hold one tensor
    ``(N, heads, L, D / heads)`` for each cross-attention layer of the question encoder.
    """

    features_NLD: torch.Tensor
    keys: tuple[torch.Tensor, ...]
    values: tuple[torch.Tensor, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer's text and its probability under greedy decoding, in [0, 1]."""

    text: str
    confidence: float


def remember_images(model: LoadedModel, images: Sequence[Image.Image]) -> ImageMemory:
    """Encode N images and project their keys and values for every question to come."""
    return remember_pixels(model, pixel_values(model.image_processor, images))


@torch.inference_mode()
def remember_pixels(model: LoadedModel, pixels_NCHW: torch.Tensor) -> ImageMemory:
    """Do the same for images that are preprocessed already, ``(N, C, H, W)``."""
    blip = model.blip
    features_NLD = encode_images(blip, pixels_NCHW.to(model.device, blip.dtype))
    return memory_of(model, features_NLD)


def memory_of(model: LoadedModel, features_NLD: torch.Tensor) -> ImageMemory:
    """Project the cross-attention keys and values of already encoded images."""
    keys, values = [], []
    for layer in model.blip.text_encoder.encoder.layer:
        attention = layer.crossattention.self
        shape = (*features_NLD.shape[:2], -1, attention.attention_head_size)
        keys.append(attention.key(features_NLD).view(shape).transpose(1, 2))
        values.append(attention.value(features_NLD).view(shape).transpose(1, 2))
    return ImageMemory(features_NLD, tuple(keys), tuple(values))


@torch.inference_mode()
def answer_questions(
    model: LoadedModel,
    memory: ImageMemory,
    image_of: Sequence[int],
    questions: Sequence[str],
    *,
    max_new_tokens: int = MAX_NEW_TOKENS,
) -> list[Answer]:
    """Answer each question about the image ``memory`` holds at its index, greedily.

    Raises:
        ValueError: ``image_of`` and ``questions`` differ in length.
    """
    if len(image_of) != len(questions):
        raise ValueError(f"{len(questions)} questions, but images for {len(image_of)}")
    if not questions:
        return []
    ids = token_ids(model.blip.config)
    tokens = question_batch(model.tokenizer, questions, ids, MAX_QUESTION_TOKENS).to(model.device)
    index_B = torch.tensor(image_of, device=model.device)
    states_BTD = _encode_questions_from(model, memory, index_B, tokens)
    return _decode(model, states_BTD, tokens, max_new_tokens)


def _encode_questions_from(
    model: LoadedModel, memory: ImageMemory, index_B: torch.Tensor, tokens: TokenBatch
) -> torch.Tensor:
    images = DynamicCache()
    for layer, (keys, values) in enumerate(zip(memory.keys, memory.values, strict=True)):
        images.update(keys[index_B], values[index_B], layer)
    cache = EncoderDecoderCache(DynamicCache(), images)
    states: torch.Tensor = model.blip.text_encoder(
        input_ids=tokens.ids_BT,
        attention_mask=tokens.mask_BT,
        # Its values are in the cache; that it is given is what turns cross-attention on.
        encoder_hidden_states=memory.features_NLD[index_B],
        past_key_values=cache,
    ).last_hidden_state
    return states


def _decode(
    model: LoadedModel, states_BTD: torch.Tensor, tokens: TokenBatch, max_new_tokens: int
) -> list[Answer]:
    ids = token_ids(model.blip.config)
    decoder = model.blip.text_decoder
    start_B1 = torch.full((len(states_BTD), 1), ids.start, device=model.device)
    output = decoder.generate(
        input_ids=start_B1,
        attention_mask=torch.ones_like(start_B1),
        encoder_hidden_states=states_BTD,
        encoder_attention_mask=tokens.mask_BT,
        bos_token_id=ids.start,
        eos_token_id=ids.end,
        pad_token_id=ids.pad,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        num_beams=1,
        return_dict_in_generate=True,
        output_logits=True,
    )
    said_BT = output.sequences[:, 1:]
    logits_BTV = torch.stack(output.logits, dim=1).float()
    log_p_BT = logits_BTV.log_softmax(-1).gather(-1, said_BT.unsqueeze(-1)).squeeze(-1)
    ended_BT = (said_BT == ids.end).cumsum(1) - (said_BT == ids.end).long() > 0
    confidence_B = log_p_BT.masked_fill(ended_BT, 0.0).sum(1).exp()
    texts = model.tokenizer.batch_decode(said_BT, skip_special_tokens=True)
    return [
        Answer(text.strip(), confidence)
        for text, confidence in zip(texts, confidence_B.tolist(), strict=True)
    ]
