"""A loaded model: a base with its processor and its adapters, ready on a device."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

import torch
from peft import PeftModel
from transformers import (
    BaseImageProcessor,
    BlipForQuestionAnswering,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from shared.questions.folding import AS_IT_COMES, QuestionFolding
from shared.value_class import value_class
from shared.vqa.inputs.instruction import NO_INSTRUCTION, Instruction
from shared.vqa.inputs.question_length import question_limit
from shared.vqa.quantization import Quantization

BASE_ALONE = ""


@value_class
class LoadedModel:
    """A base with its processor, ready on a device; ``adapter_sha256`` is empty without adapter.

    ``network`` holds the adapter's layers in place; ``peft`` is the wrapper that saves them.
    ``foldings`` are those of the adapters by name, and that of the base where there is none.
    ``picture_marks`` are words that stand for a picture, and are not heard within a question.
    """

    network: PreTrainedModel
    peft: PeftModel | None
    tokenizer: PreTrainedTokenizerBase
    image_processor: BaseImageProcessor
    device: torch.device
    name: str
    revision: str
    quantization: Quantization
    adapter_sha256: str = ""
    foldings: Mapping[str, QuestionFolding] = field(default_factory=dict)
    instruction: Instruction = NO_INSTRUCTION
    picture_marks: frozenset[str] = frozenset()

    @property
    def folding(self) -> QuestionFolding:
        """How the questions of the active adapter, or of the base alone, are folded."""
        name = BASE_ALONE if self.peft is None else self.peft.active_adapter
        return self.foldings.get(name, AS_IT_COMES)

    def folded(self, questions: Iterable[str]) -> list[str]:
        """Return questions as the model was trained to hear them."""
        return list(map(self.folding.fold, questions))

    def asked(self, questions: Sequence[str]) -> list[str]:
        """Return questions as the model hears them, within the instruction."""
        return list(map(self.instruction.around, self.folded(map(self._unmarked, questions))))

    def _unmarked(self, question: str) -> str:
        """Return a question without marks of a picture and the spaces around these."""
        marks = [mark for mark in self.picture_marks if mark in question]
        if not marks:
            return question
        words = "|".join(map(re.escape, sorted(marks, key=len, reverse=True)))
        return re.sub(rf"\s*(?:{words})\s*", " ", question).strip()

    @property
    def blip(self) -> BlipForQuestionAnswering:
        """The network of a model that ``load_blip`` loaded, which is a BLIP."""
        return self.network

    @property
    def max_question_tokens(self) -> int:
        """How many tokens of a question are read."""
        return question_limit(self.tokenizer)


def best_device() -> torch.device:
    """Return the first CUDA device, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def compute_dtype(device: torch.device) -> torch.dtype:
    """Return what 4-bit weights are computed in: bfloat16 where supported, else float16.

    On a CPU it is float32, which is exact and no slower there.
    """
    if device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
