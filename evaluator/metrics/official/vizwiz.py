"""VizWiz accuracy (Gurari et al. 2018): how far ten people agree with an answer.

Source: what https://vizwiz.org/tasks-and-datasets/vqa/ says, from memory (2026-11), not held
against its script: VQA's formula with its averaging over all sets of nine people, and VQA's
evaluation for the rest. "unanswerable" is an answer as any other: what people say where the
picture does not show it.

Deviation: rows with fewer than four references have no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric, against_all
from evaluator.metrics.official.people import FEWEST_REFERENCES, accuracy_by_people, by_people
from evaluator.metrics.official.vqa_text import vqa_form


def vizwiz(answers: Sequence[str], references: Sequence[tuple[str, ...]]) -> NDArray[np.float64]:
    """Return the accuracy of each row, shape (N,); NaN for a row with fewer than four references.

    >>> vizwiz(["Unanswerable."], [("unanswerable",) * 2 + ("a can",) * 8])
    array([0.6])
    """
    return accuracy_by_people(vqa_form, answers, references)


METRIC: Final = Metric(
    name="vizwiz",
    label="VizWiz accuracy",
    score=against_all(vizwiz),
    definition=by_people("VQA's normalisation, on both sides, as vizwiz.org says"),
    fewest_references=FEWEST_REFERENCES,
)
