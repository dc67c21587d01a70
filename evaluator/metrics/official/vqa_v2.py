"""VQA accuracy as the data set's authors define it, with their normalisation of answers.

Source: https://visualqa.org/evaluation.html (Antol et al. 2015, Goyal et al. 2017), as of 2026-11;
the order of its steps and its tables are those of the authors' script of VQA v2.

Deviations: references are normalised as answers are, as the page says, also where all people said
the same (the script leaves such rows as they stand, see ``vqa_v2_script``). Where there are fewer
than four references full agreement could not score 1, and the row has no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric, against_all
from evaluator.metrics.official.people import FEWEST_REFERENCES, accuracy_by_people, by_people
from evaluator.metrics.official.vqa_text import vqa_form


def vqa_v2(answers: Sequence[str], references: Sequence[tuple[str, ...]]) -> NDArray[np.float64]:
    """Return the accuracy of each row, shape (N,); NaN for a row with fewer than four references.

    Args:
        answers: N answers.
        references: what each person said, N times one or more.

    >>> vqa_v2(["two cats"], [("2 cats", "two cats", "a cat", "some")])
    array([0.5])
    """
    return accuracy_by_people(vqa_form, answers, references)


METRIC: Final = Metric(
    name="vqa_v2",
    label="VQA v2 accuracy",
    score=against_all(vqa_v2),
    definition=by_people("visualqa.org's normalisation, on both sides"),
    fewest_references=FEWEST_REFERENCES,
    by_default_of_several=True,
)
