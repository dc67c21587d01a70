"""Accuracy by how many people agree, after a treatment of texts: what VQA's successors share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Definition
from evaluator.metrics.rows import each_distinct
from evaluator.metrics.texts.vqa_soft import AGREEING, leave_one_out

FEWEST_REFERENCES: Final = AGREEING + 1
"""With fewer, full agreement could not score 1."""


def accuracy_by_people(
    form: Callable[[str], str],
    answers: Sequence[str],
    references: Sequence[tuple[str, ...]],
    *,
    of_people: Callable[[str], str] | None = None,
) -> NDArray[np.float64]:
    """Return the accuracy of each row, shape (N,); NaN for a row with fewer than four references.

    Args:
        form: what makes two texts the same.
        answers: N answers.
        references: what each person said, N times one or more.
        of_people: the same for what people said, where that is treated otherwise.
    """
    of_people = of_people or form

    def accuracy(answer: str, people: tuple[str, ...]) -> float:
        if len(people) < FEWEST_REFERENCES:
            return float("nan")
        return leave_one_out(form(answer), [of_people(said) for said in people])

    return each_distinct(accuracy, answers, references)


def by_people(normalisation: str) -> Definition:
    """Return the definition of such a metric."""
    return lambda _models, _provenance: f"leave one out, min(1, matches / 3)|{normalisation}"
