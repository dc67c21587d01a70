"""What a scorecard says of its judge: what is missing, what it cost, how far people agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from evaluator.judging.judge import AddressJudge
from evaluator.metrics.meaning.judge import cases_of
from evaluator.metrics.rows import Rows
from evaluator.metrics.text_models.judging import Case, Verdict
from evaluator.scoring.judged import ANSWERS, LABELS, Held, JudgeCheck, Judged
from evaluator.scoring.scorecard import Scorecard
from shared.dataset.units import units_of
from shared.questions.answers import exact_match
from shared.records import WITHOUT_REJECTED, Prediction


def with_judged(
    scorecard: Scorecard, predictions: Sequence[Prediction], judge: AddressJudge
) -> Scorecard:
    """Return a scorecard that says what else is known of the verdicts it was formed from."""
    judged = judged_cases(predictions)
    check = _check(predictions, cases_of(Rows.of(predictions)), judge)
    unsaid = dict(judge.unsaid(judged).most_common())
    return replace(scorecard, judged=Judged(len(judged), unsaid, check, judge.cost))


def judged_cases(predictions: Sequence[Prediction]) -> list[Case]:
    """Return the cases of the answers that can be judged."""
    rows = Rows.of(predictions)
    cases = cases_of(rows)
    return [cases[place] for place in np.flatnonzero(rows.can_be_judged_N)]


def _check(
    predictions: Sequence[Prediction], cases: Sequence[Case], judge: AddressJudge
) -> JudgeCheck | None:
    """Return the judge against people: those who judged answers, else those who judged labels."""
    pairs = [prediction.pair for prediction in predictions]
    named = units_of(pairs)
    units = [named[pair.filename] for pair in pairs]
    if any(prediction.answer_review for prediction in predictions):
        passed_N, said_N = _verdicts(predictions, cases, judge)
        reviews = [prediction.answer_review for prediction in predictions]
        return Held(
            by=ANSWERS,
            units=units,
            passed_N=passed_N,
            said_N=said_N,
            drawn_N=np.array([bool(review) for review in reviews]),
            has_right_N=np.ones(len(pairs), dtype=np.bool_),
            right_N=np.array([review == Verdict.RIGHT for review in reviews]),
        ).check()
    if not any(pair.label_sample and pair.has_right_answer for pair in pairs):
        return None
    # Of rows that people judged, the judge sees the label as it was: it saw no other of the rest.
    first = [
        replace(case, references=(pair.first_label,)) if pair.label_before_review else case
        for case, pair in zip(cases, pairs, strict=True)
    ]
    passed_N, said_N = _verdicts(predictions, first, judge)
    return Held(
        by=LABELS,
        units=units,
        passed_N=passed_N,
        said_N=said_N,
        drawn_N=np.array([bool(pair.label_sample) for pair in pairs]),
        has_right_N=np.array([pair.has_right_answer for pair in pairs]),
        right_N=np.array(
            [not p.is_unanswered and exact_match(p.answer, p.pair.answer) for p in predictions]
        ),
        is_whole=all(pair.label_sample != WITHOUT_REJECTED for pair in pairs),
    ).check()


def _verdicts(
    predictions: Sequence[Prediction], cases: Sequence[Case], judge: AddressJudge
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which answers the judge passes, and on which it gave a verdict.

    An answer that never came is wrong without asking.
    """
    asked = [place for place, row in enumerate(predictions) if not row.is_unanswered]
    passed_N = np.zeros(len(predictions), dtype=np.bool_)
    said_N = np.ones(len(predictions), dtype=np.bool_)
    for place, verdict in zip(asked, judge.verdicts([cases[p] for p in asked]), strict=True):
        passed_N[place] = verdict is Verdict.RIGHT
        said_N[place] = verdict is not Verdict.UNSAID
    return passed_N, said_N
