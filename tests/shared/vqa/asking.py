"""Asks a model the slow way, as its authors wrote it: one image, one question, one call."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image

from shared.vqa.inputs.preprocessing import pixel_values
from shared.vqa.loaded import LoadedModel
from tests.models import QUESTIONS

MAX_NEW_TOKENS = 10


def every_question(images: Sequence[Image.Image]) -> tuple[list[int], list[str]]:
    """Return each question about each image: the images' indices and the questions."""
    asked = [(index, text) for index in range(len(images)) for text in QUESTIONS]
    return [index for index, _ in asked], [text for _, text in asked]


@torch.no_grad()
def plain_tokens(model: LoadedModel, image: Image.Image, question: str) -> list[int]:
    """Return what ``BlipForQuestionAnswering.generate`` says to a question on its own."""
    encoded = model.tokenizer([question], return_tensors="pt")
    output = model.blip.generate(
        pixel_values=pixel_values(model.image_processor, [image]).to(model.blip.dtype),
        input_ids=encoded["input_ids"],
        attention_mask=encoded["attention_mask"],
        max_new_tokens=MAX_NEW_TOKENS,
        do_sample=False,
        num_beams=1,
    )
    return output[0].tolist()


def plain_answer(model: LoadedModel, image: Image.Image, question: str) -> str:
    """Return the text of ``plain_tokens``."""
    tokens = plain_tokens(model, image, question)
    return model.tokenizer.decode(tokens, skip_special_tokens=True).strip()


@torch.no_grad()
def slow_confidence(model: LoadedModel, image: Image.Image, question: str) -> float:
    """Return the answer's probability, one forward pass for each of its tokens."""
    blip, end = model.blip, model.blip.config.text_config.sep_token_id
    answer_tokens = plain_tokens(model, image, question)
    encoded = model.tokenizer([question], return_tensors="pt")
    features = blip.vision_model(
        pixel_values=pixel_values(model.image_processor, [image])
    ).last_hidden_state
    states = blip.text_encoder(
        input_ids=encoded["input_ids"],
        attention_mask=encoded["attention_mask"],
        encoder_hidden_states=features,
    ).last_hidden_state
    probability = 1.0
    for at in range(1, len(answer_tokens)):
        logits = blip.text_decoder(
            input_ids=torch.tensor([answer_tokens[:at]]),
            encoder_hidden_states=states,
            use_cache=False,
        ).logits
        probability *= float(logits[0, -1].softmax(-1)[answer_tokens[at]])
        if answer_tokens[at] == end:
            break
    return probability
