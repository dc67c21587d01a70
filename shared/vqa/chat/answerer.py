"""Chat models: a decoder that reads a picture as tokens, and a question within an instruction.

What they keep of a picture is proved when they are loaded. On a CPU, pixels are computed when a
picture's turn comes, so that few are held at once; beside a GPU, in the threads that decode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import torch
from PIL import Image

from shared.images.decoding import is_large
from shared.questions.cleaning import CLEANING, cleaned
from shared.vqa.answerer import Answer, Answerer
from shared.vqa.chat.abilities import Keeping, has_picture_tokens
from shared.vqa.chat.keeping.decoding import RowDecoder
from shared.vqa.chat.keeping.keepers import (
    CopiesKeeper,
    FeaturesKeeper,
    Keeper,
    PlainKeeper,
    Shared,
)
from shared.vqa.chat.keeping.rows_keeper import RowsKeeper
from shared.vqa.chat.processor import Picture, open_processor, picture_marks
from shared.vqa.chat.proof import proved_keeping
from shared.vqa.greedy import answers_of, end_tokens
from shared.vqa.loaded import LoadedModel

MEMORY_BYTES_ON_CPU: Final = 256 * 2**20
"""For keys and values, about what four to sixteen pictures of a small model take."""
SHARE_OF_A_GPU: Final = 4
"""Of the memory that is free when a model is loaded, a quarter is for keys and values."""

_SMALL_PX, _LONG = 64, 20
"""Pixels of the shorter side, and sides' ratio, beyond which some processors refuse a picture.

Qwen2-VL takes no ratio over 200, and wants as many pixels as a patch has (transformers 5.23,
``smart_resize`` of its image processor).
"""


class ChatAnswerer(Answerer[Picture, Keeper]):
    """Reads each picture once, as far as the model allows it.

    Raises:
        InputError: there is no processor for pictures and questions, or it needs torchvision.
    """

    cuts_questions = False

    def __init__(self, model: LoadedModel) -> None:
        config = model.network.config
        self.processor = open_processor(model.name, config)
        marks = picture_marks(self.processor, config) if has_picture_tokens(config) else frozenset()
        super().__init__(replace(model, picture_marks=marks))
        self.keeping, self.split = proved_keeping(
            model.name, model.network, self.processor, model.instruction, model.device
        )
        self.computed_once = self.keeping.value
        if has_picture_tokens(config):
            self.cleaning = CLEANING
        longest = model.instruction.longest_answer
        ends = end_tokens(model.network) | {model.tokenizer.sep_token_id}
        self._shared = Shared(model.network, model.device, self.split, longest, ends)
        self._memory_bytes = _room(model.device)
        self._decoder = (
            RowDecoder(model.network, model.device, _any_token(model))
            if self.keeping is Keeping.ROWS
            else None
        )

    def prepare(self, image: Image.Image) -> Picture:
        """Return the picture; its pixels are computed here if nobody else wants the cores.

        So are those of a large one, which others would wait for in memory, and those of a shape
        that processors refuse, for here it is known whose fault that is.

        Raises:
            CorruptImage: the processor does not take a picture of this shape.
        """
        picture = Picture(self.processor, image, self.model.name)
        nothing_asked = self.model.instruction.around("")
        if is_large(image):
            picture.let_go(nothing_asked)
        elif self.model.device.type != "cpu" or _is_odd(image):
            picture.asked(nothing_asked)
        return picture

    def remember(self, images: Sequence[Picture]) -> Keeper:
        """Return what will keep the pictures, each as soon as a question about it comes."""
        pictures = tuple(images)
        if self._decoder is not None:
            return RowsKeeper(self._shared, pictures, self._decoder, self._memory_bytes)
        keepers = {Keeping.COPIES: CopiesKeeper, Keeping.FEATURES: FeaturesKeeper}
        return keepers.get(self.keeping, PlainKeeper)(self._shared, pictures)

    @torch.inference_mode()
    def answer(
        self, memory: Keeper, image_of: Sequence[int], questions: Sequence[str]
    ) -> list[Answer]:
        """Ask each question within the instruction, and clean what is said.

        Raises:
            InputError: the processor does not take a question.
        """
        if not questions:
            return []
        decoded = memory.answers(image_of, self.model.asked(questions))
        answers = answers_of(self.model.tokenizer, decoded)
        if not self.cleaning:
            return answers
        return [Answer(cleaned(answer.text), answer.confidence) for answer in answers]


def _is_odd(image: Image.Image) -> bool:
    shorter, longer = sorted(image.size)
    return shorter < _SMALL_PX or longer > _LONG * shorter


def _room(device: torch.device) -> int:
    if device.type != "cuda":
        return MEMORY_BYTES_ON_CPU
    free, _ = torch.cuda.mem_get_info(device)
    return int(free // SHARE_OF_A_GPU)


def _any_token(model: LoadedModel) -> int:
    """Return a token for places that belong to nobody, which no answer depends on."""
    pad = model.tokenizer.pad_token_id
    return 0 if pad is None else int(pad)
