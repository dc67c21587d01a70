"""VizWiz accuracy (Gurari et al. 2018): how far ten people agree with an answer.

Source: the script that its authors hand out (Qing Li's vqaEval.py), as of 2026-11: VQA's formula,
leaving each person out in turn. It treats the answer as VQA v2's script does and leaves what people
said as it stands, so that "2" is no match for "two", which https://visualqa.org/evaluation.html
would make it. "unanswerable" is an answer as any other: what people say where the picture does not
show it.

Deviation: rows with fewer than four references have no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric, against_all
from evaluator.metrics.official.people import FEWEST_REFERENCES, accuracy_by_people, by_people
from evaluator.metrics.official.vqa_text import vizwiz_form


def vizwiz(answers: Sequence[str], references: Sequence[tuple[str, ...]]) -> NDArray[np.float64]:
    """Return the accuracy of each row, shape (N,); NaN for a row with fewer than four references.

    >>> vizwiz(["Unanswerable."], [("unanswerable",) * 2 + ("a can",) * 8])
    array([0.6])
    """
    return accuracy_by_people(vizwiz_form, answers, references, of_people=str)


METRIC: Final = Metric(
    name="vizwiz",
    label="VizWiz accuracy",
    score=against_all(vizwiz),
    definition=by_people("VizWiz's script: references as they stand"),
    fewest_references=FEWEST_REFERENCES,
)
