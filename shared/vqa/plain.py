"""Any other model that transformers knows: its own processor and its own ``generate``.

Slower, since nothing is kept between the questions of an image, and right: every question is
asked alone, so that no padding can reach an answer, with all that the processor returned. A model
with a chat template is asked by it.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from transformers import BatchFeature, PreTrainedModel

from shared.errors import InputError
from shared.vqa.answerer import Answer, Answerer
from shared.vqa.chat.processor import Picture, open_processor
from shared.vqa.greedy import answers_of, end_tokens, generated
from shared.vqa.loaded import LoadedModel


class PlainAnswerer(Answerer[Picture, tuple[Picture, ...]]):
    """Asks one question at a time.

    Raises:
        InputError: there is no processor, or torchvision is not there and needed.
    """

    computed_once = ""

    def __init__(self, model: LoadedModel) -> None:
        super().__init__(model)
        self._processor = open_processor(model.name)
        self._takes = _names_taken(model.network)

    def prepare(self, image: Image.Image) -> Picture:
        """Return the image with the processor, which wants it beside each question."""
        return Picture(self._processor, image, self.model.name)

    def remember(self, images: Sequence[Picture]) -> tuple[Picture, ...]:
        """Return the images."""
        return tuple(images)

    @torch.inference_mode()
    def answer(
        self, memory: tuple[Picture, ...], image_of: Sequence[int], questions: Sequence[str]
    ) -> list[Answer]:
        """Ask each question alone.

        Raises:
            InputError: the processor or the network does not take a question so.
        """
        return [
            self._ask(memory[image], question)
            for image, question in zip(image_of, self.model.asked(questions), strict=True)
        ]

    def _ask(self, image: Picture, question: str) -> Answer:
        network, longest = self.model.network, self.model.instruction.max_new_tokens
        try:
            decoded = generated(network, longest, **self._inputs(image, question))
        except ValueError as error:
            raise InputError(
                f"{self.model.name}: cannot be asked {question!r} ({error}); it may want the place "
                "of its image in --prompt, such as '<image> {question}'"
            ) from error
        [answer] = answers_of(self.model.tokenizer, decoded)
        return answer

    def _inputs(self, image: Picture, question: str) -> dict[str, Any]:
        """Return all of the processor's tensors that the network has a place for."""
        tensors = BatchFeature(image.asked(question))
        tensors = tensors.to(self.model.device, self.model.network.dtype)
        inputs = {name: value for name, value in tensors.items() if name in self._takes}
        return inputs if self.model.network.config.is_encoder_decoder else self._open(inputs)

    def _open(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Cut an end token off a decoder's prompt, which it would not go on after."""
        ids = inputs["input_ids"]
        ends = end_tokens(self.model.network) | {self.model.tokenizer.sep_token_id}
        if int(ids[0, -1]) not in ends:
            return inputs
        return {
            name: value[:, :-1] if value.shape == ids.shape else value
            for name, value in inputs.items()
        }


def _names_taken(network: PreTrainedModel) -> frozenset[str]:
    """Return the names of inputs that ``generate`` hands on; it raises over others."""
    functions = (network.forward, network.prepare_inputs_for_generation)
    return frozenset(
        name for function in functions for name in inspect.signature(function).parameters
    )
