"""Any other model that transformers knows: its own processor and its own ``generate``.

Slower, since nothing is kept between the questions of an image, and right: every question is
asked alone, so that no padding can reach an answer, with all that the processor returned. A model
with a chat template is asked by it.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Sequence
from typing import Any, Final

import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoProcessor,
    BatchFeature,
    PreTrainedModel,
    ProcessorMixin,
)

from shared.errors import InputError
from shared.vqa.answerer import Answer, Answerer
from shared.vqa.greedy import answers_of, end_tokens, generated
from shared.vqa.loaded import LoadedModel
from shared.vqa.names.model_names import hub_errors, quiet_transformers, resolve_model

_CHAT_BACKEND: Final = "torchvision"
_OTHER_BACKEND: Final = "pil"
"""Named, so that no answer depends on what is installed. A chat model's is transformers' own
choice; its processor may need torchvision in any case, for a video part."""


_WAY_OUT: Final = "install what answering needs: pip install 'abo-vqa[evaluator]'"


class PlainAnswerer(Answerer[Image.Image, tuple[Image.Image, ...]]):
    """Asks one question at a time.

    Raises:
        InputError: there is no processor, or torchvision is not there and needed.
    """

    computed_once = ""

    def __init__(self, model: LoadedModel) -> None:
        super().__init__(model)
        self._processor = _processor(model.name)
        self._takes = _names_taken(model.network)

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
        """Ask each question alone.

        Raises:
            InputError: the processor or the network does not take a question so.
        """
        return [
            self._ask(memory[image], question)
            for image, question in zip(image_of, self.model.asked(questions), strict=True)
        ]

    def _ask(self, image: Image.Image, question: str) -> Answer:
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

    def _inputs(self, image: Image.Image, question: str) -> dict[str, Any]:
        """Return all of the processor's tensors that the network has a place for."""
        tensors = self._encoded(image, question).to(self.model.device, self.model.network.dtype)
        inputs = {name: value for name, value in tensors.items() if name in self._takes}
        return inputs if self.model.network.config.is_encoder_decoder else self._open(inputs)

    def _encoded(self, image: Image.Image, question: str) -> BatchFeature:
        if not getattr(self._processor, "chat_template", None):
            return self._processor(images=image, text=question, return_tensors="pt")
        content = [{"type": "image", "image": image}, {"type": "text", "text": question}]
        try:
            return self._processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
        except Exception as error:
            # A template is a program, and raises what it likes.
            raise InputError(
                f"{self.model.name}: its chat template cannot be used with an image and a question "
                f"({error}); mend chat_template.jinja, or remove it and give --prompt"
            ) from error

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


def _processor(model: str) -> ProcessorMixin:
    source = resolve_model(model)
    with quiet_transformers(), hub_errors(model):
        try:
            processor: ProcessorMixin = AutoProcessor.from_pretrained(
                source, trust_remote_code=False
            )
        except ImportError as error:
            reason = str(error).strip().splitlines()[0]
            raise InputError(f"{model}: its processor needs more ({reason}); {_WAY_OUT}") from error
        chats = bool(getattr(processor, "chat_template", None))
        if chats and importlib.util.find_spec("torchvision") is None:
            raise InputError(f"{model}: its processor needs torchvision; {_WAY_OUT}")
        backend = _CHAT_BACKEND if chats else _OTHER_BACKEND
        processor.image_processor = AutoImageProcessor.from_pretrained(
            source, backend=backend, trust_remote_code=False
        )
    return processor


def _names_taken(network: PreTrainedModel) -> frozenset[str]:
    """Return the names of inputs that ``generate`` hands on; it raises over others."""
    functions = (network.forward, network.prepare_inputs_for_generation)
    return frozenset(
        name for function in functions for name in inspect.signature(function).parameters
    )
