"""Rows of answers and references: real sets repeat few of them, so each is scored once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from shared.records import Prediction

Reference = TypeVar("Reference", bound=Hashable)

PairScore = Callable[[Sequence[str], Sequence[str]], NDArray[np.float64]]
"""Scores N answers, each against one reference, shape (N,)."""
RowScore = Callable[[Sequence[str], Sequence[tuple[str, ...]]], NDArray[np.float64]]
"""Scores N answers against all references of each, shape (N,), or (N, D) for D counts."""


class Regions(Enum):
    """What the regions behind an answer are held against: a column of predictions."""

    QUESTION = "grounding"
    BOXES = "grounding_boxes"


@dataclass(frozen=True)
class Rows:
    """N predictions as columns: what metrics score.

    ``overlaps`` are of the regions behind each answer, in [0, 1], and NaN where nobody measured;
    ``has_boxes_N`` tells which rows say where the object of the question is, ``can_be_judged_N``
    which have an answer, and a question that may have a right one.
    """

    answers: Sequence[str]
    references: Sequence[tuple[str, ...]]
    filenames: Sequence[str]
    overlaps: Mapping[Regions, NDArray[np.float64]]
    has_boxes_N: NDArray[np.bool_]
    questions: Sequence[str]
    can_be_judged_N: NDArray[np.bool_]
    _computed: dict[RowScore, NDArray[np.float64]] = field(
        init=False, default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def of(cls, predictions: Sequence[Prediction]) -> Rows:
        """Return predictions as columns."""
        question = [p.grounding for p in predictions]
        boxes = [p.grounding_boxes for p in predictions]
        return cls(
            answers=[p.answer for p in predictions],
            references=[p.pair.references for p in predictions],
            filenames=[p.pair.filename for p in predictions],
            overlaps={
                Regions.QUESTION: np.array(question, dtype=np.float64),
                Regions.BOXES: np.array(boxes, dtype=np.float64),
            },
            has_boxes_N=np.array([bool(p.pair.boxes) for p in predictions], dtype=np.bool_),
            questions=[p.pair.asks for p in predictions],
            can_be_judged_N=np.array(
                [not p.is_unanswered and p.pair.has_right_answer for p in predictions],
                dtype=np.bool_,
            ),
        )

    @property
    def measured(self) -> frozenset[Regions]:
        """Return what some row has the overlap with."""
        return frozenset(
            regions for regions, of_N in self.overlaps.items() if not np.isnan(of_N).all()
        )

    def best(self, score: PairScore) -> NDArray[np.float64]:
        """Return each row's score against the reference that suits it best, shape (N,)."""
        return best_of_references(score, self.answers, self.references)

    def computed(self, score: RowScore) -> NDArray[np.float64]:
        """Return what ``score`` gives for these rows; it is called once, however many ask."""
        if score not in self._computed:
            self._computed[score] = score(self.answers, self.references)
        return self._computed[score]


def each_distinct(
    score: Callable[[str, Reference], float | tuple[float, ...]],
    answers: Sequence[str],
    references: Sequence[Reference],
) -> NDArray[np.float64]:
    """Return ``score`` of each row, called once for each distinct one.

    Shape (N,), or (N, D) where ``score`` returns D numbers.

    Raises:
        ValueError: unequal numbers of answers and references.
    """
    rows = list(zip(answers, references, strict=True))
    scores = {row: score(*row) for row in set(rows)}
    return np.array([scores[row] for row in rows], dtype=np.float64)


def best_of_references(
    score: PairScore, answers: Sequence[str], references: Sequence[tuple[str, ...]]
) -> NDArray[np.float64]:
    """Return each row's score against the reference that suits it best, as SQuAD does, shape (N,).

    ``score`` compares answers with one reference each.
    """
    counts = [len(several) for several in references]
    if all(count == 1 for count in counts):
        return score(answers, [several[0] for several in references])
    flat = score(
        [answer for answer, count in zip(answers, counts, strict=True) for _ in range(count)],
        [reference for several in references for reference in several],
    )
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    best: NDArray[np.float64] = np.maximum.reduceat(flat, starts)
    return best
