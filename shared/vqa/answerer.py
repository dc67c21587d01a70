"""The interface of every family of models: encode images once, answer many questions about them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from PIL import Image

from shared.value_class import value_class
from shared.vqa.loaded import LoadedModel

Prepared = TypeVar("Prepared")
Memory = TypeVar("Memory")


@value_class
class Answer:
    """An answer's text and its probability under greedy decoding, in [0, 1]."""

    text: str
    confidence: float


class Answerer(ABC, Generic[Prepared, Memory]):
    """A loaded model that answers.

    For every question the answer is what the model's own ``generate`` (or ``forward``, of a
    classifier) says to that question alone, whatever stands beside it in a batch.
    """

    computed_once: str
    """What is computed once per image, for provenance; empty where nothing is."""
    cleaning: str = ""
    """By which rule answers are taken out of what is said, for provenance; empty without one."""
    cuts_questions: ClassVar[bool] = True
    """Whether the model reads so many tokens of a question alone."""

    def __init__(self, model: LoadedModel) -> None:
        self.model = model

    @abstractmethod
    def prepare(self, image: Image.Image) -> Prepared:
        """Return what the model reads of an image; may run in any thread."""

    @abstractmethod
    def remember(self, images: Sequence[Prepared]) -> Memory:
        """Compute what depends on the images alone."""

    @abstractmethod
    def answer(
        self, memory: Memory, image_of: Sequence[int], questions: Sequence[str]
    ) -> list[Answer]:
        """Answer each question about the image that ``memory`` holds at its index, greedily."""


def in_order_of_images(image_of: Sequence[int]) -> list[int]:
    """Return the questions' indices so that those of one image stand together, in their order."""
    return sorted(range(len(image_of)), key=lambda at: image_of[at])
