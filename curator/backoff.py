"""How long to wait after a failure, and whether one item or the whole service is to blame."""

from __future__ import annotations

import random
from typing import Final

FIRST_S: Final = 1.0
LONGEST_S: Final = 60.0
OUTAGE_ITEMS: Final = 8
"""So many different items failing without one success between them is the service's fault."""


def backoff_s(failures: int, rng: random.Random, longest_s: float = LONGEST_S) -> float:
    """Return seconds to wait after ``failures`` in a row: doubling, capped, with full jitter.

    The jitter keeps workers that failed together from coming back together.
    """
    ceiling = min(longest_s, FIRST_S * 2.0 ** min(failures - 1, 10))
    return ceiling * (0.5 + rng.random() / 2)


class Outage:
    """Tells one poisonous item from a service that is down."""

    def __init__(self) -> None:
        self._failed: set[int] = set()
        self._unreached = 0

    @property
    def suspected(self) -> bool:
        """Whether many items failed since the last success."""
        return len(self._failed) >= OUTAGE_ITEMS

    def failure(self, item_id: int) -> None:
        """Count a transient failure of an item."""
        if not self.suspected:
            self._failed.add(item_id)

    def unreached(self) -> int:
        """Count a request that found no connection; return how many did since the last success."""
        self._unreached += 1
        return self._unreached

    def success(self) -> None:
        """The service answered."""
        self._failed.clear()
        self._unreached = 0
