"""Which part gets how many bits: the least loss under a budget of bytes, always the same; pure.

The losses of parts that are rounded alone are taken to add up. What is searched is a knapsack of
which each part takes one choice; by dynamic programming over bytes in steps, exact but for these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from shared.errors import InputError

_STEPS: Final = 4096


@dataclass(frozen=True, slots=True)
class Choice:
    """So many bits for a part: what it then takes, and what is then lost."""

    bits: int
    bytes: int
    loss: float


def allocate(choices: Mapping[str, Sequence[Choice]], budget: int) -> dict[str, Choice]:
    """Return a choice for each part whose bytes together are within ``budget``.

    Raises:
        InputError: even the fewest bits take more.
    """
    least = sum(min(choice.bytes for choice in of_part) for of_part in choices.values())
    if least > budget:
        raise InputError(
            f"the budget leaves {budget / 1e6:,.1f} MB for weights that take {least / 1e6:,.1f} MB "
            "in the fewest bits; give more"
        )
    step = max(1, -(-(budget - least) // _STEPS))
    room = (budget - least) // step
    names = list(choices)
    best = np.zeros(room + 1)
    taken = np.zeros((len(names), room + 1), dtype=np.int16)
    for row, name in enumerate(names):
        best, taken[row] = _with_part(best, choices[name], step)
    return _followed(names, choices, taken, step)


def _with_part(
    best: np.ndarray[tuple[int], np.dtype[np.float64]], of_part: Sequence[Choice], step: int
) -> tuple[
    np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.int16]]
]:
    least = min(choice.bytes for choice in of_part)
    now = np.full_like(best, np.inf)
    index = np.zeros(len(best), dtype=np.int16)
    for number, choice in enumerate(of_part):
        more = -(-(choice.bytes - least) // step)
        if more >= len(best):
            continue
        reached = np.full_like(best, np.inf)
        reached[more:] = best[: len(best) - more] + choice.loss
        better = reached < now
        now[better], index[better] = reached[better], number
    return now, index


def _followed(
    names: Sequence[str],
    choices: Mapping[str, Sequence[Choice]],
    taken: np.ndarray[tuple[int, int], np.dtype[np.int16]],
    step: int,
) -> dict[str, Choice]:
    room, chosen = taken.shape[1] - 1, {}
    for row in range(len(names) - 1, -1, -1):
        of_part = choices[names[row]]
        choice = of_part[int(taken[row, room])]
        chosen[names[row]] = choice
        room -= -(-(choice.bytes - min(other.bytes for other in of_part)) // step)
    return {name: chosen[name] for name in names}
