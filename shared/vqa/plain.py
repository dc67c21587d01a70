"""Any other model that transformers knows: its own processor and its own ``generate``.

Slower, since nothing is kept between the questions of an image, and right: every question is
asked alone, so that no padding can reach an answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from transformers import AutoProcessor, ProcessorMixin

from shared.vqa.answerer import MAX_NEW_TOKENS, Answer, Answerer
from shared.vqa.decoding import decoded_rows, end_tokens
from shared.vqa.loading import LoadedModel
from shared.vqa.model_names import hub_errors, quiet_transformers, resolve_model


class PlainAnswerer(Answerer[Image.Image, tuple[Image.Image, ...]]):
    """Asks one question at a time."""

    computed_once = ""

    def __init__(self, model: LoadedModel) -> None:
        super().__init__(model)
        with quiet_transformers(), hub_errors(model.name):
            self._processor: ProcessorMixin = AutoProcessor.from_pretrained(
                resolve_model(model.name)
            )
        self._processor.image_processor = model.image_processor

    def prepare(self, image: Image.Image) -> Image.Image:
        """Return the image: the processor wants it beside each question."""
        return image

    def remember(self, images: Sequence[Image.Image]) -> tuple[Image.Image, ...]:
        """Return the images."""
        return tuple(images)

    @torch.inference_mode()
    def answer(
        self, memory: tuple[Image.Image, ...], image_of: Sequence[int], questions: Sequence[str]
    ) -> list[Answer]:
        """Ask each question alone."""
        return [
            self._ask(memory[image], question)
            for image, question in zip(image_of, self.model.folded(questions), strict=True)
        ]

    def _ask(self, image: Image.Image, question: str) -> Answer:
        network = self.model.network
        inputs = self._inputs(image, question)
        output = network.generate(
            **inputs,
            max_new_tokens=MAX_NEW_TOKENS,
            do_sample=False,
            num_beams=1,
            return_dict_in_generate=True,
            output_logits=True,
        )
        # An encoder-decoder says a start token first, a decoder repeats the prompt.
        before = output.sequences.shape[1] - len(output.logits)
        [said] = decoded_rows(output, before, end_tokens(network))
        text = self.model.tokenizer.decode(list(said.tokens), skip_special_tokens=True)
        return Answer(text.strip(), math.exp(said.log_probability))

    def _inputs(self, image: Image.Image, question: str) -> dict[str, Any]:
        """Return the processor's tensors; a decoder's prompt must not end with an end token."""
        if getattr(self._processor, "chat_template", None):
            asked = {"type": "text", "text": question}
            message = {"role": "user", "content": [{"type": "image"}, asked]}
            question = self._processor.apply_chat_template([message], add_generation_prompt=True)
        encoded = self._processor(images=image, text=question, return_tensors="pt")
        tensors = {name: tensor.to(self.model.device) for name, tensor in encoded.items()}
        network = self.model.network
        if not network.config.is_encoder_decoder:
            ends = end_tokens(network) | {self.model.tokenizer.sep_token_id}
            if int(tensors["input_ids"][0, -1]) in ends:
                for name in ("input_ids", "attention_mask", "token_type_ids"):
                    if name in tensors:
                        tensors[name] = tensors[name][:, :-1]
        return {
            name: tensor.to(network.dtype) if tensor.is_floating_point() else tensor
            for name, tensor in tensors.items()
            if name != "token_type_ids"
        }
