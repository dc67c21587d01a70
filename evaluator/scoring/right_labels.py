"""Exact match against the right answers, from a sample of labels that people looked at.

Labels are wrong now and then, and a model that is right where its label is wrong counts as wrong.
Prediction-powered inference (Angelopoulos, Bates, Fannjiang, Jordan and Zrnic, Science 382, 2023)
corrects for that: the match with the labels, known of all rows, plus what people's answers change
on a fair sample of them. The weight of the first part is tuned to the least variance (PPI++,
Angelopoulos, Duchi and Zrnic, arXiv:2311.01453, 2023).

Two deviations. The rows of one product or picture are not independent, so the variance is that of
the estimate linearised over units (Binder, International Statistical Review 51, 1983), with
Student's t for the units that were sampled. And some pairs have no right answer: they count neither
way, so that the estimate is a ratio, of right answers to pairs that have one.

Such an interval trusts the spread of what was judged, and few judgements, or all alike, show too
little of it. So where fewer than ten units have a right answer, or a wrong one, it is widened to
hold what the sample alone says by Wilson's interval, which needs no spread
(``shared.dataset.agreement_rate``); and where labels help, but fewer than ten units have a wrong
one, its variance is that with 1.96^2 more of them, as Agresti and Coull add trials (The American
Statistician 52, 1998).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from shared.dataset.agreement_rate import AgreementRate
from shared.questions.answers import exact_match
from shared.records import WITHOUT_REJECTED, Prediction

_FEWEST_UNITS: Final = 2
_FEWEST_OF_A_KIND: Final = 10
"""With fewer, the linearised interval alone held the truth in 18 to 92 of 100 draws, not in 95."""
_UNSEEN: Final = 1.959964**2
"""Units with a wrong label that are added to few."""


@dataclass(frozen=True)
class RightLabels:
    """How often a model gives the right answer, of ``rows`` of which people judged ``judged``.

    ``mean`` and its ``ci95`` are of the right answers, ``labels_mean`` of the labels as they were.
    ``weight`` is that of the labels of all rows: 0 where the sample alone is counted. Of the
    ``errors`` in the sample (answers that are not the label), ``model_right`` were right, and
    ``no_right_answer`` had none; the rest are the model's own.
    """

    mean: float
    ci95: tuple[float, float] | None
    labels_mean: float
    weight: float
    rows: int
    judged: int
    errors: int
    model_right: int
    no_right_answer: int

    def note(self) -> str:
        """Return it in words."""
        interval = ""
        if self.ci95 is not None:
            interval = f" (95 % interval {100 * self.ci95[0]:.1f} to {100 * self.ci95[1]:.1f})"
        blamed = self.model_right + self.no_right_answer
        return (
            f"Of the right answers, as {self.judged:,} pairs that people judged tell them, "
            f"{100 * self.mean:.1f} % are given{interval}; the labels as they were say "
            f"{100 * self.labels_mean:.1f} %. Of {self.errors:,} errors among those pairs "
            f"{blamed:,} are the label's: {self.model_right:,} answers were right, and "
            f"{self.no_right_answer:,} questions have no right one."
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as the scorecard holds it."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return what ``to_json`` was given."""
        interval = value["ci95"]
        return cls(**{**value, "ci95": None if interval is None else tuple(interval)})


def right_labels(predictions: Sequence[Prediction], units: Sequence[str]) -> RightLabels | None:
    """Return what the reviewed sample says of ``predictions``; ``None`` where there is none.

    ``units`` says of each row what it is not independent of.
    """
    pairs = [prediction.pair for prediction in predictions]
    drawn_N = np.array([bool(pair.label_sample) for pair in pairs])
    has_right_N = np.array([pair.has_right_answer for pair in pairs])
    if not (drawn_N & has_right_N).any():
        return None
    matches_N = _matches(predictions, [pair.first_label for pair in pairs])
    right_N = _matches(predictions, [pair.answer for pair in pairs])
    is_whole = all(pair.label_sample != WITHOUT_REJECTED for pair in pairs)
    estimate = estimated(
        _numbers(units), matches_N, drawn_N, has_right_N, right_N, uses_all_rows=is_whole
    )
    errors_N = drawn_N & ~matches_N
    return RightLabels(
        mean=estimate.mean,
        ci95=estimate.ci95,
        labels_mean=float(matches_N.mean()),
        weight=estimate.weight,
        rows=len(pairs),
        judged=int(drawn_N.sum()),
        errors=int(errors_N.sum()),
        model_right=int((errors_N & right_N & has_right_N).sum()),
        no_right_answer=int((errors_N & ~has_right_N).sum()),
    )


@dataclass(frozen=True)
class Estimate:
    """A share with its 95 % interval, and the weight that all rows had in it."""

    mean: float
    ci95: tuple[float, float] | None
    weight: float


def estimated(
    units_N: NDArray[np.int64],
    matches_N: NDArray[np.bool_],
    drawn_N: NDArray[np.bool_],
    has_right_N: NDArray[np.bool_],
    right_N: NDArray[np.bool_],
    *,
    uses_all_rows: bool,
) -> Estimate:
    """Return the share of right answers among N rows that have one.

    Args:
        units_N: the unit of each row, from 0.
        matches_N: whether the answer is the label.
        drawn_N: which rows people judged; of the others, the next two are not looked at.
        has_right_N: whether there is a right answer.
        right_N: whether the answer is the right one, where there is one.
        uses_all_rows: whether the labels of rows that nobody judged may help.
    """
    matches, drawn = matches_N.astype(float), drawn_N.astype(float)
    rows, judged = len(matches), drawn.sum()
    valid = drawn * has_right_N
    right = valid * right_N
    mean = right.sum() / valid.sum()
    # What a unit of weight adds to the numerator: all rows' matches less the sample's.
    gain = matches.sum() / rows - (drawn * matches).sum() / judged
    of_gain = (matches - matches.mean()) / rows
    of_gain -= drawn * (matches - (drawn * matches).sum() / judged) / judged
    gain_U = np.bincount(units_N, of_gain)
    weight, residual = 0.0, 0.0
    # Twice, for the weight depends on the mean.
    for _ in range(2 if uses_all_rows else 0):
        rest_U = np.bincount(units_N, (right - mean * valid - drawn * residual) / judged)
        spread = (gain_U**2).sum()
        weight = float(np.clip(-(rest_U * gain_U).sum() / spread, 0, 1)) if spread > 0 else 0.0
        mean = (right.sum() / judged + weight * gain) * judged / valid.sum()
        residual = right.sum() / judged - mean * valid.sum() / judged
    # Linearised: what each unit adds to the difference between the estimate and the truth.
    rest_U = np.bincount(units_N, (right - mean * valid - drawn * residual) / judged)
    influence_U = (rest_U + weight * gain_U) / (valid.sum() / judged)
    is_right_N, is_valid_N = right > 0, valid > 0
    wrong_labels = _units_of(units_N, drawn_N & (~is_valid_N | (is_right_N != matches_N)))
    unseen = _UNSEEN if weight > 0 and wrong_labels < _FEWEST_OF_A_KIND else 0.0
    interval = _interval(mean, influence_U, units_N, drawn_N, unseen)
    kinds = is_right_N, is_valid_N & ~is_right_N
    if interval and any(_units_of(units_N, kind) < _FEWEST_OF_A_KIND for kind in kinds):
        low, high = _interval_of_sample(units_N, is_valid_N, is_right_N)
        interval = min(interval[0], low), max(interval[1], high)
    return Estimate(float(np.clip(mean, 0, 1)), interval, weight)


def _units_of(units_N: NDArray[np.int64], is_one_N: NDArray[np.bool_]) -> int:
    return len(np.unique(units_N[is_one_N]))


def _interval_of_sample(
    units_N: NDArray[np.int64], is_valid_N: NDArray[np.bool_], is_right_N: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return Wilson's interval of the share of right answers in the sample, by units."""
    sample = AgreementRate()
    units_M = units_N[is_valid_N]
    rows_U, right_U = np.bincount(units_M), np.bincount(units_M, is_right_N[is_valid_N])
    for rows, right in zip(rows_U.tolist(), right_U.tolist(), strict=True):
        sample.add_image(rows, int(right))
    return sample.interval() or (0.0, 1.0)


def _interval(
    mean: float,
    influence_U: NDArray[np.float64],
    units_N: NDArray[np.int64],
    drawn_N: NDArray[np.bool_],
    unseen: float,
) -> tuple[float, float] | None:
    """Return the linearised interval, as if ``unseen`` more units had had a wrong label."""
    sampled = len(np.unique(units_N[drawn_N]))
    if sampled < _FEWEST_UNITS:
        return None
    variance = (influence_U**2).sum() * sampled / (sampled - 1) + unseen / sampled**2
    # scipy takes half a second to import, and few data have judged labels.
    from scipy.stats import t as students_t  # noqa: PLC0415

    half = float(students_t.ppf(0.975, sampled - 1)) * math.sqrt(variance)
    return max(0.0, float(mean - half)), min(1.0, float(mean + half))


def _matches(predictions: Sequence[Prediction], answers: Sequence[str]) -> NDArray[np.bool_]:
    return np.array(
        [
            not prediction.is_unanswered and exact_match(prediction.answer, answer)
            for prediction, answer in zip(predictions, answers, strict=True)
        ]
    )


def _numbers(units: Sequence[str]) -> NDArray[np.int64]:
    return np.unique(np.array(units), return_inverse=True)[1].astype(np.int64)
