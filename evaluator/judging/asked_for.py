"""The judge of a run or of scored files, where one is asked for; with it comes HTTP, else not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from evaluator.scoring.scorecard import Scorecard
from shared.program.clock import Clock
from shared.records import Prediction

if TYPE_CHECKING:
    from evaluator.judging.judge import AddressJudge
    from evaluator.judging.options import JudgeOptions

Finished = Callable[[Scorecard, Sequence[Prediction]], Scorecard]
"""Adds to a scorecard what is known besides, given the rows that it was formed from."""


def judge_for(options: JudgeOptions | None, clock: Clock) -> AddressJudge | None:
    """Return the judge that is asked for; nothing is sent.

    Raises:
        InputError: it cannot be used.
    """
    if options is None:
        return None
    from evaluator.judging.given import judge_of  # noqa: PLC0415 (HTTP)

    return judge_of(options, clock)


def require_judge_for(judge: AddressJudge, predictions: Sequence[Prediction]) -> None:
    """Look whether the judge can be asked, unless it has judged all of some answers before.

    Raises:
        InputError: see ``AddressJudge.require_there``.
    """
    from evaluator.judging.summing_up import judged_cases  # noqa: PLC0415 (HTTP)

    if judge.lacks_any(judged_cases(predictions)):
        judge.require_there()


def finished_by(judge: AddressJudge | None) -> Finished:
    """Return what adds the judge's part to a scorecard; nothing without a judge."""
    if judge is None:
        return lambda scorecard, _: scorecard
    from evaluator.judging.summing_up import with_judged  # noqa: PLC0415 (HTTP)

    return lambda scorecard, predictions: with_judged(scorecard, predictions, judge)
