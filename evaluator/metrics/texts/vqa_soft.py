"""VQA soft accuracy (Antol et al. 2015, VQA v2): an answer is right as far as people agree on it.

The official score leaves each person out in turn and averages: with ten references,
``mean over i of min(1, matches among the other nine / 3)``.

Deviations: the normalisation is this project's, not VQA's own, which also drops articles, expands
contractions and turns number words into digits; ``evaluator.metrics.official.vqa_v2`` has that one.
Where there are fewer than four references, the three of the formula becomes their number less one,
so that full agreement still scores 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric, against_all, of_texts
from evaluator.metrics.rows import each_distinct
from shared.questions.answers import normalise

AGREEING: Final = 3
"""How many people make an answer fully right."""


def vqa_soft(answers: Sequence[str], references: Sequence[tuple[str, ...]]) -> NDArray[np.float64]:
    """Return the soft accuracy of each row, shape (N,); NaN for a row with one reference.

    Args:
        answers: N answers.
        references: what each person said, N times one or more.

    >>> vqa_soft(["red"], [("red", "red", "blue", "navy")])
    array([0.5])
    """
    return each_distinct(_soft, answers, references)


def leave_one_out(answer: str, references: Sequence[str]) -> float:
    """Return how far an answer agrees with people, each left out in turn, in [0, 1].

    Texts are compared as they stand; two references or more.
    """
    people = len(references)
    needed = min(AGREEING, people - 1)
    matches = Counter(references)[answer]
    # Leaving out one who agrees leaves one match less; one who does not leaves them all.
    agreeing = matches * min(1.0, (matches - 1) / needed) if matches else 0.0
    return (agreeing + (people - matches) * min(1.0, matches / needed)) / people


def _soft(answer: str, references: tuple[str, ...]) -> float:
    if len(references) == 1:
        return float("nan")
    return leave_one_out(normalise(answer), [normalise(reference) for reference in references])


METRIC: Final = Metric(
    name="vqa_soft",
    label="VQA soft",
    score=against_all(vqa_soft),
    definition=of_texts(lambda: "leave one out, min(1, matches / 3)"),
    fewest_references=2,
    by_default_of_several=True,
)
