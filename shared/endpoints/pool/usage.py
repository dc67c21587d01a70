"""Quota arithmetic as Google counts it: what a project has used of its minute and of its day.

Pure: the time is an argument everywhere, in seconds since the epoch, UTC. A minute is the last 60
seconds, whatever the second, which also satisfies a window that starts on the full minute. A day is
``shared.endpoints.keys.quota_day``'s.

What counts is when a request reaches the server. That is after it was sent, at most a little later
(``ARRIVAL_S``, more where refusals show it), and before its answer came. So the next request may
take its place a minute after the latest of these moments.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.endpoints.keys.quota import Quota, Window
from shared.endpoints.keys.quota_day import CLOCK_S, day_start, next_day
from shared.program.durations import MINUTE_S
from shared.value_class import value_class

BURSTS_A_MINUTE: Final = 10
"""A project's requests of a minute are sent in so many bursts, evenly spread."""
TOKEN_HASTE: Final = 1.2
"""A burst may take so many times its share of the minute's tokens: what a request really takes is
known only afterwards, and too slow a pace would leave quota unused."""
ARRIVAL_S: Final = 0.25
"""So long after it was sent a request may reach the server, as long as nothing tells otherwise. It
costs 0.25 / 60 of what a quota allows."""
LONGEST_ARRIVAL_S: Final = 2.0
PROMPT_S: Final = 0.02
"""A request that is sent so soon after it was reserved counts from then; part of ``ARRIVAL_S``."""
BURST_S: Final = MINUTE_S / BURSTS_A_MINUTE


@dataclass(slots=True, eq=False)
class Reservation:
    """A request that is counted: ``at`` is when, ``tokens`` the estimate or the true count.

    ``start`` is when it was reserved; ``is_late`` says that it was sent well after that.
    ``over_at`` is when its answer came, ``day_ends`` the end of the last day that it counts in.
    """

    at: float
    tokens: int
    counted: bool = True
    start: float = -math.inf
    is_sent: bool = True
    is_late: bool = False
    over_at: float | None = None
    day_ends: float = math.inf


@value_class
class Opening:
    """The earliest time at which a request fits, and the window that makes it wait."""

    at: float
    window: Window | None = None


class Usage:
    """What one project has used of its minute and of its day."""

    def __init__(
        self, now: float, *, last_minute: Iterable[tuple[float, int]] = (), today: int = 0
    ) -> None:
        """Start at ``now`` from what is remembered.

        ``last_minute`` holds the time and tokens of recent requests, oldest first; ``today`` is
        the number of requests since ``day_start(now)``, those of the last minute included. What
        was sent by a clock that has been set back since counts as sent now.
        """
        self._minute = deque(Reservation(min(at, now), tokens) for at, tokens in last_minute)
        # Those by which the pace goes, whenever they leave: a delay is not to delay what follows.
        self._starts = deque(earlier.at for earlier in self._minute)
        self._minute_requests = len(self._minute)
        self._minute_tokens = sum(earlier.tokens for earlier in self._minute)
        self._arrival_s = ARRIVAL_S
        self._day_requests = today
        self._day_ends = next_day(now - CLOCK_S)

    def requests_in(self, window: Window, now: float) -> int:
        """Return the number of requests counted in ``window`` at ``now``."""
        self._roll(now)
        return self._minute_requests if window is Window.MINUTE else self._day_requests

    def tokens_in_minute(self, now: float) -> int:
        """Return the number of tokens counted in the last minute."""
        self._roll(now)
        return self._minute_tokens

    def opening(self, quota: Quota, tokens: int, now: float) -> Opening:
        """Return when a request of ``tokens`` fits; infinitely late if it is larger than TPM."""
        self._roll(now)
        if quota.rpd is not None and self._day_requests >= quota.rpd:
            return Opening(self._day_ends + CLOCK_S, Window.DAY)
        if quota.tpm is not None and tokens > quota.tpm:
            return Opening(math.inf, Window.DAY)
        at = self._minute_opening(quota, tokens, now)
        return Opening(at, Window.MINUTE if at > now else None)

    def reserve(self, tokens: int, now: float) -> Reservation:
        """Count a request of ``tokens`` as sent at ``now``."""
        self._roll(now)
        reservation = Reservation(now, tokens, start=now, day_ends=self._day_ends)
        self._minute.append(reservation)
        self._starts.append(now)
        self._minute_requests += 1
        self._minute_tokens += tokens
        self._day_requests += 1
        return reservation

    def delay(self, reservation: Reservation) -> None:
        """Take back that ``reservation`` was sent: until ``send``, it may be at any time."""
        reservation.is_sent = False

    def send(self, reservation: Reservation, now: float) -> None:
        """Count ``reservation`` as sent at ``now``, if that is later than it was counted."""
        reservation.is_sent = True
        if reservation.counted and now > reservation.at + PROMPT_S:
            self._take_out(reservation)
            self._count_from(reservation, now)
            reservation.is_late = True

    def end(self, reservation: Reservation, now: float) -> None:
        """Note that the answer to ``reservation`` came, or nothing more will."""
        reservation.is_sent = True
        reservation.over_at = now

    def expect_later_arrivals(self) -> None:
        """Heed that the server refused what was in order by the times at which it was sent."""
        self._arrival_s = min(2 * self._arrival_s, LONGEST_ARRIVAL_S)

    def settle(self, reservation: Reservation, tokens: int) -> None:
        """Replace the estimate of ``reservation`` by the true count of tokens."""
        if reservation.counted:
            self._minute_tokens += tokens - reservation.tokens
        reservation.tokens = tokens

    def give_back(self, reservation: Reservation) -> None:
        """Forget a reservation whose request was never sent."""
        if reservation.counted:
            self._take_out(reservation)
            if reservation.start in self._starts:
                self._starts.remove(reservation.start)
            self._minute_requests -= 1
            self._minute_tokens -= reservation.tokens
            reservation.counted = False
        if reservation.day_ends == self._day_ends:
            self._day_requests -= 1

    def _minute_opening(self, quota: Quota, tokens: int, now: float) -> float:
        paces = self._request_pace(quota, now), self._token_pace(quota, tokens, now)
        return max(self._room(quota, tokens, now), *paces)

    def _request_pace(self, quota: Quota, now: float) -> float:
        """Return when the next burst is due, so that a minute's requests do not come at once."""
        if quota.rpm is None:
            return now
        burst = math.ceil(quota.rpm / BURSTS_A_MINUTE)
        if len(self._starts) < burst:
            return now
        return max(now, self._starts[-burst] + MINUTE_S * burst / quota.rpm)

    def _token_pace(self, quota: Quota, tokens: int, now: float) -> float:
        """Return when the last burst has room for ``tokens``, or is over."""
        if quota.tpm is None:
            return now
        left = TOKEN_HASTE * quota.tpm / BURSTS_A_MINUTE - tokens
        for earlier in reversed(self._minute):
            if earlier.at + BURST_S <= now:
                break
            left -= earlier.tokens
            if left < 0:
                return earlier.at + BURST_S
        return now

    def _room(self, quota: Quota, tokens: int, now: float) -> float:
        requests_over = 0 if quota.rpm is None else self._minute_requests + 1 - quota.rpm
        tokens_over = 0 if quota.tpm is None else self._minute_tokens + tokens - quota.tpm
        if requests_over <= 0 and tokens_over <= 0:
            return now
        for earlier in self._minute:
            requests_over -= 1
            tokens_over -= earlier.tokens
            if requests_over <= 0 and tokens_over <= 0:
                return self._frees_place_at(earlier)
        return now

    def _arrived_by(self, reservation: Reservation) -> float:
        latest, over_at = reservation.at + self._arrival_s, reservation.over_at
        return latest if over_at is None else max(reservation.at, min(latest, over_at))

    def _frees_place_at(self, reservation: Reservation) -> float:
        return self._arrived_by(reservation) + MINUTE_S

    def _take_out(self, reservation: Reservation) -> None:
        """Take a request out of the minute, looked for from its end: it is one of the latest."""
        for place in range(len(self._minute) - 1, -1, -1):
            if self._minute[place] is reservation:
                del self._minute[place]
                return

    def _count_from(self, reservation: Reservation, now: float) -> None:
        reservation.at = now
        self._minute.append(reservation)

    def _roll(self, now: float) -> None:
        if now >= self._day_ends + CLOCK_S:
            self._begin_day(now)
        while self._starts and self._starts[0] + MINUTE_S <= now:
            self._starts.popleft()
        while self._minute and self._frees_place_at(self._minute[0]) <= now:
            old = self._minute.popleft()
            if not old.is_sent:
                self._count_from(old, now)
                continue
            self._minute_requests -= 1
            self._minute_tokens -= old.tokens
            old.counted = False

    def _begin_day(self, now: float) -> None:
        """Start to count from zero, with what may have reached the server after its midnight."""
        self._day_ends = next_day(now)
        begins = day_start(now) - CLOCK_S
        late = [
            earlier
            for earlier in self._minute
            if not earlier.is_sent or self._arrived_by(earlier) >= begins
        ]
        for earlier in late:
            earlier.day_ends = self._day_ends
        self._day_requests = len(late)
