"""A prompt in two: what stands before every question about a picture, and what is a question's own.

Both together are the tokens that the processor returns for the question, one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, Final

import torch
from PIL import Image
from transformers import PretrainedConfig, ProcessorMixin

from shared.errors import InputError
from shared.value_class import value_class
from shared.vqa.chat.processor import GIVE_ITS_PLACE, Picture
from shared.vqa.inputs.instruction import Instruction

_PROBES: Final = ("What", "is it?", "0", "\u00c9", "\u8272")
"""Questions of which no two begin alike, whatever the tokenizer."""


@value_class
class Prefix:
    """What a model reads of a picture before any question.

    ``inputs`` are all of the processor's tensors, those with a value for each token cut to the
    prefix: ``(1, T)``.
    """

    ids: tuple[int, ...]
    inputs: Mapping[str, Any]

    def question(self, whole: Sequence[int]) -> tuple[int, ...] | None:
        """Return a prompt's own tokens after the prefix; ``None`` if it begins otherwise."""
        own = len(self.ids)
        return tuple(whole[own:]) if tuple(whole[:own]) == self.ids else None


@value_class
class PromptSplit:
    """Where prompts within one instruction are cut: so many tokens of the first probe are its own.

    The number is the same for all pictures, since these stand before the question.
    """

    instruction: Instruction
    own_tokens: int

    def prefix(self, picture: Picture) -> Prefix:
        """Return what stands before every question about a picture.

        Raises:
            InputError: the processor does not take the picture.
        """
        asked = picture.asked(self.instruction.around(_PROBES[0]))
        ids = asked["input_ids"]
        shared = ids.shape[1] - self.own_tokens
        inputs = {
            name: value[:, :shared] if _by_token(value, ids) else value
            for name, value in asked.items()
        }
        return Prefix(tuple(ids[0, :shared].tolist()), inputs)


def split_prompts(picture: Picture, instruction: Instruction) -> PromptSplit:
    """Find where prompts are cut, from one picture.

    Raises:
        InputError: the processor does not take the picture.
    """
    rows = [picture.tokens(instruction.around(probe)) for probe in _PROBES]
    alike = takewhile(lambda tokens: len(set(tokens)) == 1, zip(*rows, strict=False))
    return PromptSplit(instruction, len(rows[0]) - len(list(alike)))


def blank_picture(model: str, processor: ProcessorMixin) -> Picture:
    """Return a small picture of nothing, to see what a processor makes of one."""
    return Picture(processor, Image.new("RGB", (64, 64), "gray"), model)


def require_picture(
    model: str, config: PretrainedConfig, processor: ProcessorMixin, instruction: Instruction
) -> None:
    """Check that a picture stands in what a model is asked.

    Raises:
        InputError: the processor does not take a picture and a question, or leaves the picture out.
    """
    text = instruction.around(_PROBES[0])
    if config.image_token_id in blank_picture(model, processor).tokens(text):
        return
    if getattr(processor, "chat_template", None):
        raise InputError(
            f"{model}: its chat template leaves the picture out; mend chat_template.jinja, or "
            f"remove it and {GIVE_ITS_PLACE}"
        )
    raise InputError(f"{model}: its processor has no chat template; {GIVE_ITS_PLACE}")


def _by_token(value: object, ids: torch.Tensor) -> bool:
    return isinstance(value, torch.Tensor) and value.shape == ids.shape
