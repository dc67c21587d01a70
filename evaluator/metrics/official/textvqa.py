"""TextVQA accuracy (Singh et al. 2019): VQA's, with the treatment of texts of its server.

Source: the answer processor and the evaluator of Facebook's mmf, as of 2026-11. Before VQA's rules,
commas and question marks are dropped and an ending 's is cut off as a word.

Deviations: the evaluator asks for ten references; here rows with four and more have a score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric, against_all
from evaluator.metrics.official.people import FEWEST_REFERENCES, accuracy_by_people, by_people
from evaluator.metrics.official.vqa_text import textvqa_form


def textvqa(answers: Sequence[str], references: Sequence[tuple[str, ...]]) -> NDArray[np.float64]:
    """Return the accuracy of each row, shape (N,); NaN for a row with fewer than four references.

    >>> textvqa(["Lay's, original"], [("lay 's original",) * 3 + ("chips",) * 7])
    array([0.9])
    """
    return accuracy_by_people(textvqa_form, answers, references)


METRIC: Final = Metric(
    name="textvqa",
    label="TextVQA accuracy",
    score=against_all(textvqa),
    definition=by_people("the normalisation of TextVQA's server, on both sides"),
    fewest_references=FEWEST_REFERENCES,
)
