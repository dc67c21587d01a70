"""Controls: what scores without seeing the right picture.

The question-only prior guesses from training data, a constant answer from nothing, and the
shuffled control is the model itself, shown the picture of another question.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from evaluator.metrics.choice import OVERLAP_METRICS, Metric
from shared.questions.prior import QuestionPrior
from shared.records import Prediction, QAPair

CONSTANT_ANSWERS: Final = ("yes", "two", "black")
"""The most frequent answers of a yes/no, a count and a colour question."""
CONSTANT_METRICS: Final = frozenset({*OVERLAP_METRICS, Metric.CSNS})
"""What a constant answer is scored by: exact, and cheap over every distinct reference."""
SHUFFLE_SAMPLE: Final = 200
"""Images of the shuffled control unless told otherwise: some 1,000 questions, an interval of about
three points to either side."""


def other_images(filenames: Iterable[str], *, sample: int, seed: int) -> dict[str, str]:
    """Return for each image of a sample the other image that is shown in its place.

    The whole image changes for all its questions, so that it is still encoded once. The choice
    depends on the seed and the set of names alone; every image of the sample is shown once, none
    to its own questions.

    Args:
        filenames: images, repeated or not.
        sample: how many of them to draw; none for 0, all where there are fewer.
        seed: of the draw.
    """
    names = sorted(set(filenames))
    if len(names) < 2 or sample < 1:  # noqa: PLR2004 (one image has no other)
        return {}
    order = np.random.default_rng(seed).permutation(len(names))[: max(2, sample)]
    drawn = [names[index] for index in order]
    # One step along a random circle leaves nobody in place.
    return dict(zip(drawn, [*drawn[1:], drawn[0]], strict=True))


def guesses(predictions: Sequence[Prediction], train_pairs: Iterable[QAPair]) -> list[Prediction]:
    """Return what the question-only prior says to each row."""
    prior = QuestionPrior.fit(train_pairs)
    return [_without_picture(p, prior.answer(p.pair.question)) for p in predictions]


def _without_picture(prediction: Prediction, answer: str) -> Prediction:
    # A guess that saw no picture has no region in it.
    return replace(
        prediction,
        answer=answer,
        confidence=None,
        grounding=None,
        grounding_boxes=None,
        broken_image=False,
    )


def rows_of(predictions: Sequence[Prediction], some: Sequence[Prediction]) -> list[int]:
    """Return the places in ``predictions`` of rows that are about the same pairs.

    Raises:
        ValueError: a row of ``some`` is about a pair that ``predictions`` lacks.
    """
    # Equal pairs have equal answers, so any of their places serves.
    places = {p.pair: index for index, p in enumerate(predictions)}
    try:
        return [places[p.pair] for p in some]
    except KeyError as error:
        raise ValueError(f"{error.args[0]} was not answered") from None
