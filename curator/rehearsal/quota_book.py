"""Counts requests and tokens of each project and model, and says what would go over. Pure.

It is the judge of the campaign, so it shares nothing with ``shared.endpoints.pool.usage`` but the
calendar. A minute is the last 60 seconds; a refused request is not counted.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

from curator.rehearsal.words.replies import Limit, Tier, Violation
from shared.endpoints.keys.quota_day import next_day
from shared.program.durations import MINUTE_S
from shared.value_class import value_class


class Days(Protocol):
    """Says when a quota day ends."""

    def end(self, now: float) -> float:
        """Return the end of the day of ``now``, in seconds since the epoch, later than ``now``."""
        ...


@value_class
class PacificDays:
    """Days that end at midnight in Los Angeles, on a clock that is ``offset_s`` ahead."""

    offset_s: float = 0.0

    def end(self, now: float) -> float:
        """Return the end of the day of ``now``."""
        return next_day(now + self.offset_s) - self.offset_s


@value_class
class ShortDays:
    """Days of ``length_s`` seconds, the first of which began at ``start``."""

    start: float
    length_s: float

    def end(self, now: float) -> float:
        """Return the end of the day of ``now``."""
        passed = (now - self.start) // self.length_s
        return self.start + (passed + 1) * self.length_s


@value_class
class ProjectLimits:
    """A project's limits for each model; ``None`` is none.

    ``rpm`` and ``rpd`` are requests a minute and a day, ``tpm`` input tokens a minute,
    ``batch_tokens`` those of all jobs under way. ``batch_jobs`` are jobs of any model.
    """

    rpm: int | None = None
    tpm: int | None = None
    rpd: int | None = None
    batch_tokens: int | None = None
    batch_jobs: int | None = None
    tier: Tier = Tier.FREE


@value_class
class OwnLimits:
    """Limits of one model; where it states none, the project's count."""

    rpm: int | None = None
    tpm: int | None = None
    rpd: int | None = None
    batch_tokens: int | None = None

    def over(self, of_project: ProjectLimits) -> ProjectLimits:
        """Return the limits of the model in a project."""
        own = {name: limit for name, limit in asdict(self).items() if limit is not None}
        return replace(of_project, **own)


@value_class
class OverQuota:
    """What a request would go over, and in how many seconds each of it would fit again."""

    violations: tuple[Violation, ...]
    fits_in_s: float

    @property
    def of_the_day(self) -> bool:
        """Whether the day's quota is among them."""
        return any(violation.limit is Limit.REQUESTS_A_DAY for violation in self.violations)


@dataclass(slots=True)
class _Account:
    day_ends: float
    requests_today: int = 0
    tokens_in_minute: int = 0
    minute: deque[tuple[float, int]] = field(default_factory=deque)


class QuotaBook:
    """What every project has used, by model."""

    def __init__(self, days: Days) -> None:
        self._days = days
        self._accounts: dict[tuple[str, str], _Account] = {}

    def admit(
        self, project: str, model: str, limits: ProjectLimits, tokens: int, now: float
    ) -> OverQuota | None:
        """Count a request of ``tokens`` input tokens, or say what it would go over."""
        account = self._account(project, model, now)
        over = _over(account, limits, tokens, now)
        if over is None:
            account.minute.append((now, tokens))
            account.tokens_in_minute += tokens
            account.requests_today += 1
        return over

    def day_end(self, now: float) -> float:
        """Return when the quota day of ``now`` ends."""
        return self._days.end(now)

    def _account(self, project: str, model: str, now: float) -> _Account:
        account = self._accounts.get((project, model))
        if account is None:
            account = self._accounts[project, model] = _Account(self._days.end(now))
        if now >= account.day_ends:
            account.requests_today, account.day_ends = 0, self._days.end(now)
        while account.minute and account.minute[0][0] <= now - MINUTE_S:
            account.tokens_in_minute -= account.minute.popleft()[1]
        return account


def _over(account: _Account, limits: ProjectLimits, tokens: int, now: float) -> OverQuota | None:
    violations, waits = [], []
    if limits.rpd is not None and account.requests_today >= limits.rpd:
        violations.append(Violation(Limit.REQUESTS_A_DAY, limits.rpd))
        waits.append(account.day_ends - now)
    if limits.rpm is not None and len(account.minute) >= limits.rpm:
        violations.append(Violation(Limit.REQUESTS_A_MINUTE, limits.rpm))
        waits.append(_request_wait(account, limits.rpm, now))
    if limits.tpm is not None and account.tokens_in_minute + tokens > limits.tpm:
        violations.append(Violation(Limit.TOKENS_A_MINUTE, limits.tpm))
        waits.append(_token_wait(account, limits.tpm - tokens, now))
    return OverQuota(tuple(violations), max(waits)) if violations else None


def _request_wait(account: _Account, limit: int, now: float) -> float:
    if limit == 0:
        return MINUTE_S
    return account.minute[len(account.minute) - limit][0] + MINUTE_S - now


def _token_wait(account: _Account, room: int, now: float) -> float:
    """Return seconds until at most ``room`` tokens are counted."""
    counted = account.tokens_in_minute
    for at, tokens in account.minute:
        counted -= tokens
        if counted <= room:
            return at + MINUTE_S - now
    return MINUTE_S
