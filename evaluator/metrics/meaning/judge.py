"""What a model that is asked as a judge says: 1 for right, 0 for wrong, and no score where neither.

It reads question, references and answer, and sees no picture (`evaluator.judging`). Zheng et al.
(arXiv:2306.05685, 2023) describe such judges and what they get wrong; how often this one is, people
who looked at some of the answers can tell (`evaluator.scoring.judged`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric
from evaluator.metrics.rows import Rows
from evaluator.metrics.text_models.judging import Case, Verdict
from evaluator.metrics.text_models.loaded import TextModel, TextModels, needed

NAME: Final = "judge"
_SCORES: Final = {Verdict.RIGHT: 1.0, Verdict.WRONG: 0.0, Verdict.UNSAID: float("nan")}


def scores_of(verdicts: Sequence[Verdict]) -> NDArray[np.float64]:
    """Return the score of each verdict, shape (N,); what is unsaid has none.

    >>> scores_of([Verdict.RIGHT, Verdict.WRONG, Verdict.UNSAID])
    array([ 1.,  0., nan])
    """
    return np.array([_SCORES[verdict] for verdict in verdicts], dtype=np.float64)


def cases_of(rows: Rows) -> list[Case]:
    """Return what the judge is shown of each row."""
    return [
        Case(question, references, answer)
        for question, references, answer in zip(
            rows.questions, rows.references, rows.answers, strict=True
        )
    ]


def _score(rows: Rows, models: TextModels) -> NDArray[np.float64]:
    judge = needed(models.judge, NAME)
    # An answer that never came, or to a question without a right one, is not worth a request.
    places = np.flatnonzero(rows.can_be_judged_N)
    cases = cases_of(rows)
    scores_N = np.zeros(len(cases))
    scores_N[places] = scores_of(judge.verdicts([cases[place] for place in places]))
    return scores_N


METRIC: Final = Metric(
    name=NAME,
    label="Judge",
    score=_score,
    definition=lambda models, _provenance: needed(models.judge, NAME).signature,
    models=frozenset({TextModel.JUDGE}),
)
