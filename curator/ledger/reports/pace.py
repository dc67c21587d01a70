"""How fast a run goes: the recent rate, and the course of the whole run in few figures; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

FIRST_WIDTH_S: Final = 5.0
LONGEST: Final = 240
"""Bins at most; when there would be more, two become one."""
RECENT_S: Final = 300.0
"""Span over which the present rate is taken."""


@dataclass(slots=True)
class SpanCounts:
    """What happened in one span of time: ``answered`` items, ``limited`` and ``failed`` requests.

    ``limited`` were over a quota; ``failed`` are all others that brought no pair.
    """

    answered: int = 0
    limited: int = 0
    failed: int = 0

    def add(self, other: SpanCounts) -> None:
        """Count what is in ``other`` here too."""
        self.answered += other.answered
        self.limited += other.limited
        self.failed += other.failed


class History:
    """Bins of equal width since ``start``, seconds since the epoch, ever wider as time goes on."""

    def __init__(self, start: float, width_s: float = FIRST_WIDTH_S) -> None:
        self.start = start
        self.width_s = width_s
        self._bins: dict[int, SpanCounts] = {}

    def add(self, now: float, counts: SpanCounts) -> None:
        """Count ``counts`` as having happened at ``now``; what was before the start is left out."""
        if now < self.start:
            return
        while now - self.start >= LONGEST * self.width_s:
            self._widen()
        self._bins.setdefault(int((now - self.start) // self.width_s), SpanCounts()).add(counts)

    def bins(self, now: float) -> list[tuple[float, SpanCounts]]:
        """Return the start of each bin until ``now`` and what is in it, the empty ones too."""
        while now - self.start >= LONGEST * self.width_s:
            self._widen()
        last = int((now - self.start) // self.width_s)
        return [
            (self.start + number * self.width_s, self._bins.get(number, SpanCounts()))
            for number in range(last + 1)
        ]

    def _widen(self) -> None:
        self.width_s *= 2
        old, self._bins = self._bins, {}
        for number, counts in old.items():
            self._bins.setdefault(number // 2, SpanCounts()).add(counts)


class RecentRate:
    """Items a minute over the last ``RECENT_S`` seconds, or since the start if that is less."""

    def __init__(self, start: float) -> None:
        self._start = start
        self._counts: dict[int, int] = {}

    def add(self, now: float) -> None:
        """Count an item as answered at ``now``."""
        number = int(now // FIRST_WIDTH_S)
        self._counts[number] = self._counts.get(number, 0) + 1
        if len(self._counts) > 2 * RECENT_S / FIRST_WIDTH_S:
            self._forget(now)

    def counted(self, now: float) -> tuple[int, float]:
        """Return the latest items, and the seconds that they took until ``now``."""
        self._forget(now)
        span_s = min(RECENT_S, max(1.0, now - self._start))
        return sum(self._counts.values()), span_s

    def _forget(self, now: float) -> None:
        oldest = (now - RECENT_S) // FIRST_WIDTH_S
        self._counts = {number: n for number, n in self._counts.items() if number > oldest}


def history_of(start: float, width_s: float, rows: Iterable[tuple[int, SpanCounts]]) -> History:
    """Return a history with bins that were counted elsewhere, by number."""
    history = History(start, width_s)
    for number, counts in rows:
        history.add(start + number * width_s, counts)
    return history


def width_for(span_s: float) -> float:
    """Return the width of bins of which ``LONGEST`` cover ``span_s``."""
    width_s = FIRST_WIDTH_S
    while span_s >= LONGEST * width_s:
        width_s *= 2
    return width_s
