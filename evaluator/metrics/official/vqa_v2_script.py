"""VQA accuracy as the script of VQA v2's authors computes it, to the letter.

Source: github.com/GT-Vision-Lab/VQA, PythonEvaluationTools, in its later form, which treats answer
and references alike (an earlier one normalised the answer always), as of 2026-11. It differs from
the page that describes it (``vqa_v2``) where all people gave the same answer: then neither side is
normalised, so that "Yes" is no match for ten times "yes", nor "t shirt" for ten times "t-shirt".

Deviation: rows with fewer than four references have no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric, against_all
from evaluator.metrics.official.people import FEWEST_REFERENCES, by_people
from evaluator.metrics.official.vqa_text import vqa_form
from evaluator.metrics.rows import each_distinct
from evaluator.metrics.texts.vqa_soft import leave_one_out


def vqa_v2_script(
    answers: Sequence[str], references: Sequence[tuple[str, ...]]
) -> NDArray[np.float64]:
    """Return the accuracy of each row, shape (N,); NaN for a row with fewer than four references.

    >>> vqa_v2_script(["Two", "Two"], [("two",) * 10, ("two",) * 9 + ("3",)])
    array([0., 1.])
    """
    return each_distinct(_accuracy, answers, references)


def _accuracy(answer: str, references: tuple[str, ...]) -> float:
    if len(references) < FEWEST_REFERENCES:
        return float("nan")
    said = [_one_line(reference) for reference in references]
    given = _one_line(answer)
    if len(set(said)) > 1:
        given, said = vqa_form(given), [vqa_form(reference) for reference in said]
    return leave_one_out(given, said)


def _one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


METRIC: Final = Metric(
    name="vqa_v2_script",
    label="VQA v2 accuracy, the script's",
    score=against_all(vqa_v2_script),
    definition=by_people("VQA v2's script: unanimous references as they stand"),
    fewest_references=FEWEST_REFERENCES,
)
