"""What goes wrong during a rehearsal, and with which request: by count, or by a seeded die."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from http import HTTPStatus
from typing import Generic, TypeVar

from curator.rehearsal.words import replies
from shared.value_class import value_class


class Fault(StrEnum):
    """Something that a campaign must survive; the value is the name in a script."""

    EXHAUSTED = "exhausted"
    """429 without details."""
    QUOTA_UNSAID = "quota_unsaid"
    """429 that speaks of quota and says neither which nor until when."""
    NO_CAPACITY = "no_capacity"
    """429 because the service is busy; no quota is meant."""
    NO_CAPACITY_503 = "no_capacity_503"
    """The same as 503."""
    INTERNAL = "internal"
    """500."""
    OVERLOADED = "overloaded"
    """503."""
    DEADLINE = "deadline"
    """504."""
    REGION = "region"
    """400 FAILED_PRECONDITION: not served there."""
    BAD_REQUEST = "bad_request"
    """400 INVALID_ARGUMENT, about the request."""
    SLOW = "slow"
    """A good reply that takes ``slow_ms`` longer."""
    DROPPED = "dropped"
    """The connection is closed without a reply."""
    CUT_BODY = "cut_body"
    """Status 200 and half of the JSON."""
    MAX_TOKENS = "max_tokens"
    """The model's text ends half-way."""
    SAFETY = "safety"
    """The candidate is withheld."""
    RECITATION = "recitation"
    """The candidate is withheld."""
    BLOCKED_PROMPT = "blocked_prompt"
    """No candidates."""
    NO_CANDIDATE = "no_candidate"
    """A success with nothing in it."""
    NONSENSE = "nonsense"
    """Text that is neither JSON nor a list."""
    FENCED = "fenced"
    """JSON in a Markdown fence."""
    NUMBERED = "numbered"
    """A numbered list in the place of JSON."""
    TRAILING_COMMA = "trailing_comma"
    """JSON with a comma too many after each pair."""
    WRONG_COUNT = "wrong_count"
    """One pair fewer than known."""
    WRONG_ANSWER = "wrong_answer"
    """To a single question, the answer to another one."""


AnyFault = TypeVar("AnyFault", bound=StrEnum)


@value_class
class FaultRule(Generic[AnyFault]):
    """When a fault strikes.

    ``every`` strikes each ``every``-th admitted request, ``at`` those of these ordinals (the first
    request is 1), ``rate`` with that probability. ``limit`` is the most times it strikes.
    """

    fault: AnyFault
    rate: float = 0.0
    every: int | None = None
    at: frozenset[int] = frozenset()
    limit: int | None = None


@dataclass(slots=True)
class _Armed(Generic[AnyFault]):
    rule: FaultRule[AnyFault]
    struck: int = 0


@dataclass(slots=True)
class FaultPlan(Generic[AnyFault]):
    """Deals faults in the order of what they strike; the first rule that applies wins."""

    rules: Sequence[FaultRule[AnyFault]]
    die: random.Random
    _armed: list[_Armed[AnyFault]] = field(init=False)
    _ordinal: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._armed = [_Armed(rule) for rule in self.rules]

    def next(self) -> AnyFault | None:
        """Return what the next one meets."""
        self._ordinal += 1
        for armed in self._armed:
            rule = armed.rule
            spent = rule.limit is not None and armed.struck >= rule.limit
            if self._strikes(rule) and not spent:
                armed.struck += 1
                return rule.fault
        return None

    def _strikes(self, rule: FaultRule[AnyFault]) -> bool:
        if rule.every is not None and self._ordinal % rule.every == 0:
            return True
        return self._ordinal in rule.at or (rule.rate > 0 and self.die.random() < rule.rate)


class FlexFate(Enum):
    """What becomes of a request for the flex tier."""

    SERVED = auto()
    SHED = auto()
    """Refused, because those who pay more take up all room."""
    DOWNGRADED = auto()
    """Answered as the standard tier answers, at its price and speed."""


@value_class
class FlexPlan:
    """How the flex tier treats requests: ``shed`` and ``downgraded`` are shares of them.

    ``shed_status`` is the status of a request that is shed, 429 or 503.
    """

    die: random.Random
    shed: float = 0.0
    shed_status: int = 503
    downgraded: float = 0.0

    def next(self) -> FlexFate:
        """Return what the next admitted request meets."""
        drawn = self.die.random()
        if drawn < self.shed:
            return FlexFate.SHED
        return FlexFate.DOWNGRADED if drawn < self.shed + self.downgraded else FlexFate.SERVED

    def refusal(self) -> replies.WireReply:
        """Return what a request is told that is shed."""
        is_429 = self.shed_status == HTTPStatus.TOO_MANY_REQUESTS
        return replies.no_capacity() if is_429 else replies.overloaded()
