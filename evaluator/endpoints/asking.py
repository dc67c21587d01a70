"""Asks one question until there is an answer, or a reason why there is none.

Which key asks and when is the pool's, how long a silent server is left in peace the outage's: both
are those of the curator. What a question alone is refused for is its failure; all else is tried
again.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from typing import Final

from evaluator.endpoints.journal import Asked
from evaluator.endpoints.reading import answer_of
from shared.endpoints.models.known import KnownModel
from shared.endpoints.outage import Outage
from shared.endpoints.pool.exhaustion import KeysExhausted
from shared.endpoints.pool.lease import Lease
from shared.endpoints.pool.pool import KeyPool
from shared.endpoints.protocols.annotator import Annotator, Reply
from shared.endpoints.protocols.departures import Departure, told_of
from shared.endpoints.refusals.refusal import (
    BadRequest,
    FormNotTaken,
    InvalidKey,
    ProjectRefused,
    RateLimited,
    Refusal,
    Unavailable,
    Unreachable,
    WrongAddress,
)
from shared.endpoints.request import Request
from shared.endpoints.token_estimates import CountedReply, TokenEstimates
from shared.errors import AboVqaError, InputError
from shared.program.async_stopping import AsyncStopSignal
from shared.program.clock import Clock
from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)

EARLY_FAILURES: Final = 10
"""So many requests that come to nothing before any answer: the address is of no use now."""


class AddressDown(AboVqaError):
    """Nothing that was sent to an address was ever answered."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request and the model that is asked; ``key`` tells it from all others."""

    key: str
    model: str
    request: Request


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a question.

    ``is_refused`` says that the server will not take it, ``is_its_own`` that answers to others
    between its tries have shown the failure to be the question's own.
    """

    asked: Asked
    is_refused: bool = False
    is_its_own: bool = False


class _Again(Enum):
    """When a question is asked once more: what happened was not about it, or may pass."""

    AT_ONCE = 1
    LATER = 2


@dataclass(slots=True)
class Asker:
    """Asks with the keys of a pool, one request after the other for each who calls.

    ``told`` begins messages about the address.
    """

    address: str
    told: str
    client: Annotator
    pool: KeyPool
    models: Mapping[str, KnownModel]
    estimates: TokenEstimates
    clock: Clock
    stop: AsyncStopSignal
    rng: random.Random = field(default_factory=random.Random)
    outage: Outage = field(default_factory=Outage)
    in_flight: int = 0
    _answered: Question | None = None
    _told: set[str] = field(default_factory=set)
    _requests: Counter[str] = field(default_factory=Counter)

    async def ask(self, question: Question) -> Settled | None:
        """Return what came of a question; ``None`` where it is to be asked again after others.

        Raises:
            InputError: the address, the model or every key is refused.
            AddressDown: nothing was ever answered there.
            KeysExhausted: no key can serve before the next quota day.
            ServiceDown: nobody has answered for long.
            StopRequested: the run is to stop.
        """
        while True:
            async with self.outage.admitted(self.clock, self.stop, self.rng):
                doubted = self.outage.is_in_doubt(question.key)
                # Whether the server is down, or this question alone brings it to its knees, only
                # another one tells.
                sent = (self._answered if doubted else None) or question
                if sent is not question:
                    self.outage.proof_asked()
                self._requests[question.key] += 1
                settled = await self._try(question, sent)
            if isinstance(settled, Settled):
                requests = self._requests.pop(question.key)
                return replace(settled, asked=replace(settled.asked, requests=requests))
            if settled is _Again.LATER:
                return None

    async def _try(self, question: Question, sent: Question) -> Settled | _Again:
        """Send a request; return what came of the question, or when it is tried again."""
        model = sent.model
        tokens = self.estimates.input_tokens(self.models[model], sent.request.measure)
        lease = await self._lease({model: tokens})
        started = self.clock.now()
        outcome: Settled | _Again = _Again.AT_ONCE
        try:
            reply = await self._send(sent.request, lease)
        except RateLimited as refusal:
            self.pool.cool_down(lease, refusal)
        except InvalidKey as refusal:
            self.pool.remove(lease.key, refusal)
        except ProjectRefused as refusal:
            self.pool.close(lease, refusal)
        except Unreachable as refusal:
            outcome = await self._unsent(question, lease, refusal)
        except Unavailable as refusal:
            outcome = await self._unanswered(question, lease, refusal)
        except FormNotTaken as refusal:
            self.pool.taken(lease)
            self._tell_left_out(model, refusal)
        except WrongAddress as refusal:
            if not self.outage.has_answered:
                raise InputError(f"{self.told}: {refusal.reason}") from None
            outcome = await self._unanswered(question, lease, refusal)
        except BadRequest as refusal:
            self.pool.taken(lease)
            outcome = (
                Settled(self._failure(model, refusal.reason), is_refused=True)
                if sent is question
                else self._proved()
            )
        else:
            self._heard(sent, lease, reply)
            outcome = (
                self._settled(question, lease, reply, started)
                if sent is question
                else self._proved()
            )
        return outcome

    def _proved(self) -> _Again:
        """Heed that the server answers, be it with a refusal: no word on the question itself."""
        self.outage.proof_came()
        return _Again.AT_ONCE

    async def _lease(self, tokens: Mapping[str, int]) -> Lease:
        """Return a key that can ask now; where none ever will, that is no day's affair."""
        try:
            return await self.pool.lease(tokens)
        except KeysExhausted as end:
            if end.opens_at is not None:
                raise
            raise InputError(
                f"{self.told}: no key is left that can serve"
                f"{f' ({end.why})' if end.why else ''}; give another, or mend that, and run the "
                "same command again"
            ) from None

    async def _send(self, request: Request, lease: Lease) -> Reply:
        departure = Departure(partial(self.pool.waits, lease), partial(self.pool.left, lease))
        self.in_flight += 1
        try:
            with told_of(departure):
                return await self.client.generate(request, lease.key, lease.model)
        finally:
            self.in_flight -= 1
            self.pool.over(lease)

    def _heard(self, sent: Question, lease: Lease, reply: Reply) -> None:
        """Count what a reply took of the quota, and learn from it what such requests take."""
        self.pool.settle(lease, reply.input_tokens or lease.reservation.tokens)
        if reply.input_tokens:
            self.estimates.heard(
                CountedReply(
                    lease.model,
                    self.estimates.asked(lease.model),
                    sent.request.measure,
                    input=reply.input_tokens,
                    images=reply.image_tokens,
                    output=reply.output_tokens,
                    thoughts=reply.thought_tokens,
                )
            )

    def _settled(self, question: Question, lease: Lease, reply: Reply, started: float) -> Settled:
        self.outage.answered(question.key)
        now = self.clock.now()
        most_tokens = question.request.most_output_tokens
        answer = answer_of(reply, most_tokens)
        if not answer.failure:
            self._answered = question
        if answer.is_overlong and self._is_first(f"{lease.model} writes on"):
            log.warning(
                "endpoint_heeds_no_limit",
                model=lease.model,
                asked_for_tokens=most_tokens,
                wrote_tokens=reply.output_tokens,
            )
        return Settled(
            Asked(
                answer.text,
                answer.confidence,
                answer.failure,
                said="" if answer.text == reply.text else reply.text,
                input_tokens=reply.input_tokens,
                output_tokens=reply.output_tokens,
                thought_tokens=reply.thought_tokens,
                cached_tokens=reply.cached_tokens,
                latency_s=round(now - started, 4),
                at=now,
                model=lease.model,
                answered_by=reply.model,
                project=lease.key.project,
            )
        )

    def _failure(self, model: str, reason: str) -> Asked:
        return Asked("", failure=reason, at=self.clock.now(), model=model)

    async def _unsent(self, question: Question, lease: Lease, refusal: Unreachable) -> _Again:
        """Take back a request that found nobody: neither quota nor question pays for it."""
        self.pool.give_back(lease)
        self.outage.unreached(refusal.reason, self.clock.now())
        await self._wait(question, refusal)
        return _Again.LATER

    async def _unanswered(
        self, question: Question, lease: Lease, refusal: Refusal
    ) -> Settled | _Again:
        """Wait for a server that gave no answer; give a question up where the fault is its own."""
        self.pool.unanswered(lease)
        if self.outage.failed(question.key, refusal.reason, self.clock.now()):
            self.outage.settled(question.key)
            return Settled(self._failure(lease.model, refusal.reason), is_its_own=True)
        await self._wait(question, refusal)
        return _Again.LATER

    async def _wait(self, question: Question, refusal: Refusal) -> None:
        """Leave the server in peace for a while.

        Raises:
            AddressDown: it never gave an answer.
            ServiceDown: it has not for long.
            StopRequested: the run is to stop.
        """
        outage = self.outage
        if outage.is_news:
            log.warning("endpoint_unavailable", endpoint=self.address, reason=refusal.reason)
        if not outage.has_answered and outage.in_a_row >= EARLY_FAILURES:
            raise AddressDown(
                f"{self.told}: none of {outage.in_a_row} requests was answered "
                f"({refusal.reason}); run the same command again to go on"
            )
        outage.require_end(self.clock.now())
        await outage.pause(question.key, self.clock, self.stop, self.rng)

    def _tell_left_out(self, model: str, refusal: FormNotTaken) -> None:
        if self._is_first(f"{model} takes no {refusal.left_out}"):
            log.warning(
                "model_takes_no_such_field",
                model=model,
                left_out=refusal.left_out or refusal.form,
                why=refusal.reason,
            )

    def _is_first(self, told: str) -> bool:
        """Return whether something is told for the first time."""
        is_first = told not in self._told
        self._told.add(told)
        return is_first
