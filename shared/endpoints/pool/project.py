"""What Google meters, as far as a run knows it: limits, use, and why it rests; pure."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import Final, Self

from shared.endpoints.keys.quota import (
    LEARNED_FOR_S,
    LearnedLimits,
    Quota,
    Window,
    corrected,
    learn,
)
from shared.endpoints.keys.quota_day import day_over
from shared.endpoints.pool.backoff import backoff_s
from shared.endpoints.pool.records import Meter, ModelUse, ProjectRecord, ProjectUse
from shared.endpoints.pool.usage import Opening, Reservation, Usage
from shared.endpoints.refusals.refusal import RateLimited
from shared.program.durations import DAY_S

PROBE_AFTER_S: Final = 3600.0
"""After a day 429, one careful request is tried so much later: the label has been seen wrong."""
LONGEST_STRIKE_S: Final = 900.0
"""Longest wait after 429s in a row that name no time: one of them may mean the whole day."""
BELIEVED_STRIKES: Final = 3
"""After so many 429s in a row, each later than the one before had asked for, waits grow anyway."""
LONGEST_DELAY_S: Final = DAY_S
"""Of what a server asks for a minute's quota, more is a mistake of its own."""


@dataclass(slots=True)
class Project:
    """A project and a model: its limits, its use, and the cool-down it is in.

    ``refused_because`` is why it is not served: in this run, or in the last one, until an answer.
    ``is_closed`` says that it is not asked again in this run.
    """

    meter: Meter
    stated: Quota
    usage: Usage
    learned: LearnedLimits = field(default_factory=dict)
    blocked_until: float = 0.0
    blocked_window: Window = Window.MINUTE
    probe_at: float | None = None
    probe: Reservation | None = None
    strikes: int = 0
    refused_because: str = ""
    is_closed: bool = False

    _quota: Quota = field(default_factory=Quota)
    _quota_ends: float = -math.inf

    def quota(self, now: float) -> Quota:
        """Return the limits that count at ``now``."""
        if now >= self._quota_ends:
            self._quota = corrected(self.stated, self.learned, now)
            ends = (limit.at + LEARNED_FOR_S for limit in self.learned.values())
            self._quota_ends = min((end for end in ends if end > now), default=math.inf)
        return self._quota

    def cool_down(
        self, refusal: RateLimited, reserved_at: float, now: float, rng: random.Random
    ) -> None:
        """Rest for as long as the refusal of a request says; believe the limits that it names.

        ``reserved_at`` is since when that request counted.
        """
        if refusal.window is Window.MINUTE and _is_in_order(refusal.limits, self.quota(now)):
            self.usage.expect_later_arrivals()
        self._learn(refusal.limits, now)
        if self.blocked_until <= now:
            # The cool-down before is over, and with it the need to probe it.
            self.probe = self.probe_at = None
        if refusal.window is Window.DAY:
            until = _reset_of(refusal, now)
            is_new = self.blocked_window is not Window.DAY or self.blocked_until < until
            # A probe that is spent stays so; one still to come waits again after each refusal.
            if is_new or self.probe_at is not None:
                self.probe_at = now + PROBE_AFTER_S
        else:
            if reserved_at >= self.blocked_until:
                self.strikes += 1
            delay_s = _delay_s(self.strikes, refusal.retry_after_s or 0.0, rng)
            until = now + min(delay_s, LONGEST_DELAY_S)
        if until > self.blocked_until:
            self.blocked_until, self.blocked_window = until, refusal.window

    def _learn(self, named: Quota, now: float) -> None:
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

    def reserve(self, tokens: int, now: float) -> Reservation:
        """Count a request of ``tokens`` that is sent at ``now``."""
        reservation = self.usage.reserve(tokens, now)
        if self.blocked_until > now:
            self.probe, self.probe_at = reservation, None
        return reservation

    def may_send(self, reservation: Reservation, now: float) -> bool:
        """Return whether nothing that was told since ``reservation`` speaks against its request."""
        rests = self.blocked_until > now and reservation is not self.probe
        return not (self.is_closed or rests)

    def give_back(self, reservation: Reservation) -> None:
        """Forget a request that was never sent."""
        self.usage.give_back(reservation)
        if reservation is self.probe:
            self.probe, self.probe_at = None, reservation.at

    def settle(self, reservation: Reservation, tokens: int) -> bool:
        """Count the true tokens of an answered request; return whether that ends a cool-down."""
        self.usage.settle(reservation, tokens)
        self.strikes = 0
        # An answer to what was sent before the cool-down says nothing about it; a probe's does.
        if reservation is not self.probe:
            return False
        self.probe, self.blocked_until = None, 0.0
        return True

    def model_use(self, now: float) -> ModelUse:
        """Return what is told of it at ``now``."""
        today = self.usage.requests_in(Window.DAY, now)
        return ModelUse(self.meter.model, today, self.quota(now), self.refused_because)

    def record(self) -> ProjectRecord:
        """Return what the ledger is to remember."""
        return ProjectRecord(
            *self.meter,
            self.blocked_until,
            self.blocked_window,
            self.probe_at,
            self.learned,
            self.refused_because,
        )

    @classmethod
    def restored(
        cls,
        meter: Meter,
        stated: Quota,
        now: float,
        use: ProjectUse | None,
        record: ProjectRecord | None,
        *,
        is_closed: bool = False,
    ) -> Self:
        """Return a project and model as the ledger remembers them, with the limits stated now.

        What a clock that has been set back since let them rest for ends as if they rested from now.
        """
        use, record = use or ProjectUse(), record or ProjectRecord(*meter)
        probe_at = record.probe_at
        return cls(
            meter=meter,
            stated=stated,
            usage=Usage(now, last_minute=use.last_minute, today=use.today),
            learned=record.learned,
            blocked_until=min(record.blocked_until, max(day_over(now), now + LONGEST_DELAY_S)),
            blocked_window=record.blocked_window,
            probe_at=None if probe_at is None else min(probe_at, now + PROBE_AFTER_S),
            refused_because=record.refused_because,
            is_closed=is_closed,
        )


def _delay_s(strikes: int, asked_s: float, rng: random.Random) -> float:
    """Return what the server asks for, or more where that has not helped several times."""
    if asked_s and strikes <= BELIEVED_STRIKES:
        return asked_s
    return max(asked_s, backoff_s(strikes + 1, rng, LONGEST_STRIKE_S))


def _reset_of(refusal: RateLimited, now: float) -> float:
    """Return when a quota of the day is there again: as the server says, or at midnight."""
    if refusal.resets_at is None:
        return day_over(now)
    return min(max(now, refusal.resets_at), now + LONGEST_DELAY_S)


def _is_in_order(named: Quota, held: Quota) -> bool:
    """Return whether a refusal names limits, and none is smaller than what is ``held``."""
    return named != Quota() and held.tightened(named) == held
