"""Loaded text models as they are handed to metrics, and their names as a metric asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from evaluator.metrics.text_models.bertscore import BertScorer
    from evaluator.metrics.text_models.clip import ClipScorer
    from evaluator.metrics.text_models.embeddings import SentenceEncoder
    from evaluator.metrics.text_models.judging import Judging

Model = TypeVar("Model")


class TextModel(Enum):
    """A kind of model that a metric may need."""

    SENTENCES = auto()
    """Sentence embeddings."""
    WORDS = auto()
    """BERTScore's encoder."""
    CLIP = auto()
    """CLIP, which needs the pictures too."""
    JUDGE = auto()
    """A model that is asked for verdicts over a network."""


@dataclass(frozen=True)
class TextModels:
    """Loaded models, each ``None`` where no metric needs it, and how they are used.

    ``number_words``: CSNS takes "two" for 2, which the AIM825 report does not.
    """

    sentences: SentenceEncoder | None = None
    words: BertScorer | None = None
    number_words: bool = False
    clip: ClipScorer | None = None
    judge: Judging | None = None


def needed(model: Model | None, metric: str) -> Model:
    """Return a model that the metric of that name needs.

    Raises:
        ValueError: it was not loaded.
    """
    if model is None:
        raise ValueError(f"{metric} needs its model loaded")
    return model
