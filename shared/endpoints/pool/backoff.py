"""How long to wait after a failure."""

from __future__ import annotations

import random
from typing import Final

FIRST_S: Final = 1.0
LONGEST_S: Final = 60.0


def backoff_s(failures: int, rng: random.Random, longest_s: float = LONGEST_S) -> float:
    """Return seconds to wait after ``failures`` in a row: doubling, capped, with full jitter."""
    return jittered(min(longest_s, FIRST_S * 2.0 ** min(failures - 1, 10)), rng)


def jittered(ceiling_s: float, rng: random.Random) -> float:
    """Return a wait of half to the whole of ``ceiling_s``.

    It keeps workers that failed together from coming back together.
    """
    return ceiling_s * (0.5 + rng.random() / 2)
