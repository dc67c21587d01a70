"""What a replica tells the driver; the fleet knows this much of it, and neither torch nor BLIP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from shared.records import Question
from shared.value_class import value_class

BROKEN_IMAGE_ANSWER: Final = "[unreadable image]"
FAILED_ANSWER: Final = "[no answer came]"


@value_class
class Reply:
    """What a replica says to one question, see ``shared.records.Prediction``."""

    question_id: str
    answer: str
    confidence: float | None
    grounding: float | None
    broken_image: bool
    attention: bytes = b""
    failure: str = ""


@value_class
class ModelFacts:
    """Which model a replica holds exactly."""

    model: str
    revision: str
    quantization: str
    adapter_sha256: str
    device: str
    dtype: str
    architecture: str = ""
    computed_once: str = ""
    """What is computed once per image and not for each of its questions."""
    question_folding: str = ""
    """What of a question's spelling the model does not hear, see ``shared.questions.folding``."""
    answer_cleaning: str = ""
    """By which rule answers are taken out of what is said, see ``shared.questions.cleaning``."""


@value_class
class AdapterEffect:
    """How many of ``checked`` answers differ with and without the adapter."""

    checked: int
    changed: int


class Answering(Protocol):
    """One loaded model that answers questions: ``evaluator.answering.replica.Replica``."""

    def facts(self) -> ModelFacts:
        """Return which model this is."""
        ...

    def answer(self, questions: Sequence[Question]) -> list[Reply]:
        """Answer questions, in any order."""
        ...

    def adapter_effect(self, questions: Sequence[Question]) -> AdapterEffect:
        """Answer questions with the adapter and without it; count what differs."""
        ...
