"""Encode images once, answer many questions about them, with BLIP.

The image encoder is most of the work, and the text encoder's cross-attention projects keys and
values of every image token again for every question, though they depend on the image alone. Both
are kept per image here. The answers equal those of ``generate`` on each question alone: padding
is in no product that an answer depends on.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image

from shared.value_class import value_class
from shared.vqa.answerer import Answer, in_order_of_images
from shared.vqa.blip.config import token_ids
from shared.vqa.blip.text import token_lists
from shared.vqa.blip.towers import (
    KeysAndValues,
    decode,
    image_features,
    image_keys_and_values,
    pack,
    question_states,
)
from shared.vqa.greedy import answers_of
from shared.vqa.inputs.preprocessing import pixel_values, to_device
from shared.vqa.loaded import LoadedModel


@value_class
class ImageMemory:
    """What answering needs of N images, computed once.

    ``features_NLD`` are the encoder's outputs. ``layers`` hold the keys and values
    ``(N, heads, L, D / heads)`` of each cross-attention layer of the question encoder: for
    blip-vqa-base 43 MB an image in float32, a half of that in bfloat16.
    """

    features_NLD: torch.Tensor
    layers: tuple[KeysAndValues, ...]


def remember_images(model: LoadedModel, images: Sequence[Image.Image]) -> ImageMemory:
    """Encode N images and project their keys and values for every question to come."""
    return remember_pixels(model, pixel_values(model.image_processor, images))


@torch.inference_mode()
def remember_pixels(model: LoadedModel, pixels_NCHW: torch.Tensor) -> ImageMemory:
    """Do the same for images that are preprocessed already, ``(N, C, H, W)``."""
    pixels_NCHW = to_device(pixels_NCHW, model.device, model.blip.dtype)
    return memory_of(model, image_features(model.blip, pixels_NCHW))


def memory_of(model: LoadedModel, features_NLD: torch.Tensor) -> ImageMemory:
    """Project the cross-attention keys and values of already encoded images."""
    return ImageMemory(features_NLD, image_keys_and_values(model.blip, features_NLD))


@torch.inference_mode()
def answer_questions(
    model: LoadedModel,
    memory: ImageMemory,
    image_of: Sequence[int],
    questions: Sequence[str],
    *,
    max_new_tokens: int | None = None,
) -> list[Answer]:
    """Answer each question about the image ``memory`` holds at its index, greedily.

    Raises:
        ValueError: ``image_of`` and ``questions`` differ in length.
    """
    if len(image_of) != len(questions):
        raise ValueError(f"{len(questions)} questions, but images for {len(image_of)}")
    if not questions:
        return []
    order = in_order_of_images(image_of)
    rows = token_lists(model.tokenizer, model.asked(questions), model.max_question_tokens)
    packed = pack([rows[at] for at in order], [image_of[at] for at in order], model.device)
    states_PD = question_states(model.blip, memory.layers, packed)
    ids = token_ids(model.blip.config)
    longest = max_new_tokens or model.instruction.longest_answer
    decoded = decode(model.blip, states_PD, packed.mask_BT, ids, longest)
    answers = dict(zip(order, answers_of(model.tokenizer, decoded), strict=True))
    return [answers[at] for at in range(len(questions))]
