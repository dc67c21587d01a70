"""What Google meters, as far as a run knows it: limits, use, and why it rests; pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Self

from curator.keys.key import Key
from curator.keys.quota import (
    LEARNED_FOR_S,
    LearnedLimits,
    Opening,
    Quota,
    Reservation,
    Usage,
    Window,
    corrected,
    learn,
)
from curator.pool.records import ProjectRecord, ProjectUse


@dataclass(slots=True)
class Project:
    """What Google meters: its limits, its use, and the cool-down it is in.

    ``refused_because`` is why it is not served: in this run, or in the last one, until an answer.
    """

    name: str
    stated: Quota
    usage: Usage
    learned: LearnedLimits = field(default_factory=dict)
    blocked_until: float = 0.0
    blocked_window: Window = Window.MINUTE
    probe_at: float | None = None
    probe: Reservation | None = None
    strikes: int = 0
    refused_because: str = ""

    _quota: Quota = field(default_factory=Quota)
    _quota_ends: float = -math.inf

    def quota(self, now: float) -> Quota:
        """Return the limits that count at ``now``."""
        if now >= self._quota_ends:
            self._quota = corrected(self.stated, self.learned, now)
            ends = (one.at + LEARNED_FOR_S for one in self.learned.values())
            self._quota_ends = min((end for end in ends if end > now), default=math.inf)
        return self._quota

    def learn(self, named: Quota, now: float) -> None:
        """Believe the limits that a refusal names."""
        self.learned = learn(self.learned, named, self.stated, now)
        self._quota_ends = -math.inf

    def opening(self, tokens: int, now: float) -> Opening:
        """Return when a request fits, the chance of a probe included."""
        opening = self.usage.opening(self.quota(now), tokens, now)
        if self.blocked_until <= max(now, opening.at):
            return opening
        if self.probe_at is not None and opening.at <= max(now, self.probe_at):
            at = max(now, self.probe_at)
            return Opening(at, self.blocked_window if at > now else None)
        return Opening(self.blocked_until, self.blocked_window)

    def reopens_at(self, tokens: int, now: float) -> float:
        """Return when a request surely fits, probes left aside."""
        return max(self.blocked_until, self.usage.opening(self.quota(now), tokens, now).at)

    def record(self) -> ProjectRecord:
        """Return what the ledger is to remember."""
        return ProjectRecord(
            self.name,
            self.blocked_until,
            self.blocked_window,
            self.probe_at,
            self.learned,
            self.refused_because,
        )

    @classmethod
    def restored(
        cls, key: Key, now: float, use: ProjectUse | None, record: ProjectRecord | None
    ) -> Self:
        """Return the project of ``key`` as the ledger remembers it."""
        use, record = use or ProjectUse(), record or ProjectRecord(key.project)
        return cls(
            name=key.project,
            stated=key.quota,
            usage=Usage(now, last_minute=use.last_minute, today=use.today),
            learned=record.learned,
            blocked_until=record.blocked_until,
            blocked_window=record.blocked_window,
            probe_at=record.probe_at,
            refused_because=record.refused_because,
        )
