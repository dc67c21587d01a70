"""Whose turn it is: every kind gets on with its share at the same pace, until the time is up.

A seed of a kind begins only where it is over in time if it takes as long as the longest so far.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping
from threading import Lock


class Turns:
    """Hands out seeds of kinds, each once, to several who play at a time.

    ``wanted`` is how many of each kind belong together; ``ends_at`` is of ``time.monotonic``.
    """

    def __init__(self, wanted: Mapping[str, int], first: int, last: int, ends_at: float) -> None:
        self._wanted, self._first, self._last = dict(wanted), first, last
        self._ends_at = ends_at
        self._begun: Counter[str] = Counter()
        self._longest_s: dict[str, float] = {}
        self._lock = Lock()

    @property
    def left_s(self) -> float:
        """Seconds until the time is up; 0 where it is."""
        return max(0.0, self._ends_at - time.monotonic())

    def next_one(self, kinds: Collection[str]) -> tuple[str, int] | None:
        """Return a kind, of those, and its next seed; ``None`` where the time or the seeds end."""
        with self._lock:
            left = [kind for kind in kinds if self._first + self._begun[kind] <= self._last]
            left = [kind for kind in left if self._longest_s.get(kind, 0.0) < self.left_s]
            if not left:
                return None
            kind = min(left, key=lambda kind: self._begun[kind] / self._wanted[kind])
            self._begun[kind] += 1
            return kind, self._first + self._begun[kind] - 1

    def took(self, kind: str, seconds: float) -> None:
        """Heed how long a seed of a kind took."""
        with self._lock:
            self._longest_s[kind] = max(seconds, self._longest_s.get(kind, 0.0))
