"""Rows of answers and references: real sets repeat few of them, so each is scored once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Reference = TypeVar("Reference", bound=Hashable)


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
    score: Callable[[Sequence[str], Sequence[str]], NDArray[np.float64]],
    answers: Sequence[str],
    references: Sequence[tuple[str, ...]],
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
