"""What is known of a judge's verdicts besides their mean: what is missing, how right they are.

People who judged a fair sample tell where the judge errs, and its share of right answers is
corrected by that: prediction-powered inference, as for labels (`evaluator.scoring.right_labels`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from evaluator.scoring.cost import Cost
from evaluator.scoring.right_labels import estimated
from shared.dataset.agreement_rate import AgreementRate
from shared.dataset.units import counted

ANSWERS: Final = "answers"
"""People judged the answers themselves."""
LABELS: Final = "labels"
"""People judged the labels: what they say is right, an answer is held against."""


@dataclass(frozen=True)
class JudgeCheck:
    """A judge against people, over ``people`` rows, and the share of right answers by both.

    ``by`` says what people judged, see ``ANSWERS`` and ``LABELS``. ``agreement`` is how often the
    judge says the same. It passed ``too_mild`` answers that people call wrong, failed
    ``too_strict`` that they call right, and gave no verdict on ``unsaid``. ``mean`` and its
    ``ci95`` are of the right answers among all rows, ``judge_mean`` what the judge alone says, with
    what it left unsaid as wrong; ``weight`` is that of its verdicts on rows that people left.
    """

    by: str
    people: int
    agreement: float
    agreement_ci95: tuple[float, float] | None
    too_mild: int
    too_strict: int
    unsaid: int
    mean: float
    ci95: tuple[float, float] | None
    judge_mean: float
    weight: float

    def note(self) -> str:
        """Return it in words."""
        what = counted(self.people, "answer" if self.by == ANSWERS else "pair")
        unsaid = f", and left {self.unsaid:,} unsaid" if self.unsaid else ""
        corrected = (
            "That is too little to correct its share by."
            if self.ci95 is None
            else f"Corrected by that, {_percent(self.mean, self.ci95)} of the answers are right; "
            f"the judge alone says {100 * self.judge_mean:.1f} %."
        )
        return (
            f"Held against {what} that people judged, the judge agrees in "
            f"{_percent(self.agreement, self.agreement_ci95)}: it passed {self.too_mild:,} wrong "
            f"and failed {self.too_strict:,} right{unsaid}. {corrected}"
        )


@dataclass(frozen=True)
class Judged:
    """Verdicts of a model: on how many rows it gave none, by the reason, and what they cost.

    ``check`` is ``None`` where nobody else judged a fair sample of the rows.
    """

    rows: int
    unsaid: Mapping[str, int]
    check: JudgeCheck | None = None
    cost: Cost | None = field(default=None, compare=False)

    def notes(self) -> list[str]:
        """Return what a reader has to know of the figure."""
        notes = [] if self.check is None else [self.check.note()]
        if self.unsaid:
            reasons = "; ".join(f"{why}: {count:,}" for why, count in self.unsaid.items())
            total = sum(self.unsaid.values())
            notes.append(
                f"The judge gave no verdict on {total:,} of {self.rows:,} answers, which have no "
                f"score ({reasons})."
            )
        return notes

    def to_json(self) -> dict[str, Any]:
        """Return it as the scorecard's file has it."""
        return {
            "rows": self.rows,
            "unsaid": dict(self.unsaid),
            "check": self.check and asdict(self.check),
            "cost": self.cost and self.cost.to_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return what ``to_json`` gave."""
        check, cost = value["check"], value["cost"]
        if check is not None:
            check = JudgeCheck(
                **{
                    **check,
                    "agreement_ci95": _pair(check["agreement_ci95"]),
                    "ci95": _pair(check["ci95"]),
                }
            )
        return cls(
            rows=int(value["rows"]),
            unsaid=dict(value["unsaid"]),
            check=check,
            cost=None if cost is None else Cost.from_json(cost),
        )


@dataclass(frozen=True)
class Held:
    """N verdicts beside what people say: ``passed_N`` by the judge, ``right_N`` by people.

    ``said_N`` tells where the judge gave a verdict, ``drawn_N`` which rows people judged; of the
    others, ``right_N`` and ``has_right_N`` say nothing. ``is_whole`` tells that no judged row is
    missing for want of a right answer.
    """

    by: str
    units: Sequence[str]
    passed_N: NDArray[np.bool_]
    said_N: NDArray[np.bool_]
    drawn_N: NDArray[np.bool_]
    has_right_N: NDArray[np.bool_]
    right_N: NDArray[np.bool_]
    is_whole: bool = True

    def check(self) -> JudgeCheck | None:
        """Return the judge's errors and the corrected share; ``None`` where nobody judged."""
        both_N = self.drawn_N & self.has_right_N
        if not both_N.any():
            return None
        units_N = np.unique(np.asarray(self.units), return_inverse=True)[1].astype(np.int64)
        estimate = estimated(
            units_N,
            self.passed_N,
            self.drawn_N,
            self.has_right_N,
            self.right_N,
            uses_all_rows=self.is_whole,
        )
        told_N = both_N & self.said_N
        agrees_N = told_N & (self.passed_N == self.right_N)
        rate = AgreementRate()
        both = zip(np.bincount(units_N, told_N), np.bincount(units_N, agrees_N), strict=True)
        for told, agreeing in both:
            rate.add_image(int(told), int(agreeing))
        return JudgeCheck(
            by=self.by,
            people=int(both_N.sum()),
            agreement=rate.rate or 0.0,
            agreement_ci95=rate.interval(),
            too_mild=int((told_N & self.passed_N & ~self.right_N).sum()),
            too_strict=int((told_N & ~self.passed_N & self.right_N).sum()),
            unsaid=int((both_N & ~self.said_N).sum()),
            mean=estimate.mean,
            ci95=estimate.ci95,
            judge_mean=float(self.passed_N.mean()),
            weight=estimate.weight,
        )


def _pair(value: Sequence[float] | None) -> tuple[float, float] | None:
    return None if value is None else (value[0], value[1])


def _percent(share: float, ci95: tuple[float, float] | None) -> str:
    interval = f" (95 % interval {100 * ci95[0]:.1f} to {100 * ci95[1]:.1f})" if ci95 else ""
    return f"{100 * share:.1f} %{interval}"
