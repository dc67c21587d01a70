"""The core loop: takes waiting items, asks for their questions, writes what came of it.

A transient failure never stops the run, and nothing that happens to one item stops another.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from pathlib import Path

import structlog

from curator.annotators.annotator import Annotator, Reply
from curator.annotators.departures import Departure, told_of
from curator.annotators.prompt import Prompt, Request
from curator.annotators.registry import Service
from curator.campaign.failures.holding import Holding
from curator.campaign.failures.outage import Outage, ServiceDown
from curator.campaign.failures.streak import FIRST_TRIES, BringsNothing, Failure
from curator.campaign.jobs import judged, request_about
from curator.campaign.photos import Found, PhotoQueue
from curator.campaign.queue import Job, Queue, job_key
from curator.campaign.results import ATTEMPTS, Judged, Results, Try, tokens_of
from curator.judging.judge import Judgement
from curator.keys.key import Key
from curator.ledger import (
    Attempt,
    KeyRemoval,
    Ledger,
    LedgerFailure,
    Outcome,
    PairItem,
    ProjectNews,
    WorkState,
)
from curator.pool.exhaustion import KeysExhausted
from curator.pool.pool import KeyPool, Lease
from curator.pool.records import ProjectRecord
from curator.refusals.refusal import (
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
from curator.status.live import LiveReport
from shared.errors import CorruptImage, InputError, StoreUnreachable
from shared.program.clock import Clock
from shared.program.stopping import StopRequested, StopSignal

log = structlog.stdlib.get_logger("curator.campaign.loop")


class _Again(Enum):
    """That an item is to be asked about at once: what happened was not about it."""

    AT_ONCE = 1


@dataclass(slots=True)
class Curator:
    """Everything that one run works with."""

    campaign_id: int
    model: str
    service: Service
    prompt: Prompt
    images_dir: Path
    ledger: Ledger
    pool: KeyPool
    annotator: Annotator
    clock: Clock
    stop: StopSignal
    live: LiveReport
    rng: random.Random
    results: Results
    holding: Holding
    outage: Outage = field(default_factory=Outage)
    answerable: Request | None = None
    """What was answered last: where that is answered again, the service is there."""
    ended_by: Exception | None = None

    async def run(self, queue: Queue, workers: int) -> None:
        """Work until the queue is empty or the run is to stop; what is in flight is finished.

        Raises:
            KeysExhausted: no key can serve before the next quota day.
            ServiceDown: the service has not answered for long.
            InputError: the model, the address or every request is refused.
            BringsNothing: nothing comes of what is tried.
            StoreUnreachable: the images cannot be read now.
            LedgerFailure: the ledger cannot be written.
        """
        try:
            with PhotoQueue(queue, self.images_dir, ahead=workers) as jobs:
                async with asyncio.TaskGroup() as group:
                    for _ in range(workers):
                        group.create_task(self._work(jobs))
        except* LedgerFailure as failures:
            raise failures.exceptions[0] from None
        if self.ended_by is None and not self.stop.requested and (end := self.holding.end()):
            self._end(end)
        if isinstance(self.ended_by, (BringsNothing, InputError, StoreUnreachable)):
            self.holding.return_all()
        await self.ledger.settled()
        self.ended_by = self.results.lost or self.ended_by
        if self.ended_by is not None:
            raise self.ended_by

    async def _work(self, jobs: PhotoQueue) -> None:
        try:
            while not self.stop.requested and (job := await jobs.take()):
                for again in await self._ask(*job):
                    jobs.put_back(again)
        except StopRequested:
            return
        except KeysExhausted as end:
            # Not a stop: what others have reserved is still theirs to send.
            self.ended_by = self.ended_by or end
        except (InputError, BringsNothing, StoreUnreachable, ServiceDown) as end:
            self._end(end)

    async def _ask(self, item: Job, photo: Found) -> Sequence[Job]:
        """Make one request; return what is to be tried again, the item itself or others."""
        if isinstance(photo, (CorruptImage, StoreUnreachable)):
            await self.holding.unreadable(item, photo)
            return ()
        self.holding.photo_read()
        request = request_about(item, photo, self.prompt)
        while True:
            async with self.outage.admitted(self.clock, self.stop, self.rng):
                if self.answerable is not None and self.outage.is_in_doubt(job_key(item)):
                    answered = await self._try(item, self.answerable)
                else:
                    answered = await self._try(item, request)
            if answered is not _Again.AT_ONCE:
                return answered

    async def _try(self, item: Job, request: Request) -> Sequence[Job] | _Again:
        """Make one request; return what is to be tried again."""
        lease, attempt = await self._begin(item, request)
        self.live.begun(lease.key)
        one = Try(item, lease, attempt.attempt_id)
        try:
            reply = await self._send(request, lease)
        except RateLimited as refusal:
            self._cool_down(one, refusal)
        except InvalidKey as refusal:
            self._remove_key(one, refusal)
        except ProjectRefused as refusal:
            self._close_project(one, refusal)
        except Unreachable as refusal:
            return await self._wait_for_service(one, attempt, refusal)
        except Unavailable as refusal:
            return await self._try_later(one, refusal)
        except FormNotTaken as refusal:
            self.pool.taken(lease)
            self.results.finish(one, Outcome.BAD_REQUEST, refusal.reason)
        except (BadRequest, WrongAddress) as refusal:
            return await self._refuse(one, refusal)
        else:
            if request is self.answerable:
                return self._take_proof(one, reply)
            return self._take_reply(one, request, reply)
        return _Again.AT_ONCE

    async def _send(self, request: Request, lease: Lease) -> Reply:
        departure = Departure(partial(self.pool.waits, lease), partial(self.pool.left, lease))
        with told_of(departure):
            try:
                return await self.annotator.generate(request, lease.key)
            finally:
                self.pool.over(lease)

    async def _begin(self, item: Job, request: Request) -> tuple[Lease, Attempt]:
        """Reserve a request and make that durable; a stop or a refusal meanwhile takes it back.

        Raises:
            StopRequested: the run is to stop.
            KeysExhausted: no key can serve before the next quota day.
        """
        while True:
            lease = await self.pool.lease(request.estimated_tokens)
            attempt = Attempt(
                attempt_id=self.ledger.new_attempt_id(),
                campaign_id=self.campaign_id,
                item_id=item.item_id,
                key_fingerprint=lease.key.fingerprint,
                project=lease.key.project,
                model=self.model,
                started_at=lease.at,
                reserved_tokens=request.estimated_tokens,
                question=item.question if isinstance(item, PairItem) else None,
                annotator=self.service.value,
            )
            try:
                await self.ledger.begin(attempt)
            except asyncio.CancelledError:
                await self._take_back(lease, attempt)
                raise
            if self.pool.may_send(lease) and not self.stop.requested:
                return lease, attempt
            await self._take_back(lease, attempt)

    async def _take_back(self, lease: Lease, attempt: Attempt) -> None:
        self.pool.give_back(lease)
        await self.ledger.withdraw(attempt)

    def _news(self, record: ProjectRecord) -> ProjectNews:
        return ProjectNews(record, self.model, self.clock.now())

    def _cool_down(self, one: Try, refusal: RateLimited) -> None:
        news = self._news(self.pool.cool_down(one.lease, refusal))
        self.results.finish(one, Outcome.RATE_LIMITED, refusal.reason, news=news)

    def _remove_key(self, one: Try, refusal: InvalidKey) -> None:
        news = self._removal(one.lease.key, refusal)
        self.results.finish(one, Outcome.INVALID_KEY, refusal.reason, news=news)

    def _removal(self, key: Key, refusal: InvalidKey) -> KeyRemoval:
        self.pool.remove(key, refusal)
        return KeyRemoval(key.fingerprint, refusal.reason, self.clock.now())

    def _close_project(self, one: Try, refusal: ProjectRefused) -> None:
        news = self._news(self.pool.close(one.lease, refusal))
        self.results.finish(one, Outcome.NOT_SERVED, refusal.reason, news=news)

    async def _try_later(self, one: Try, refusal: Refusal) -> Sequence[Job]:
        self.pool.unanswered(one.lease)
        item, now = one.item, self.clock.now()
        if self.outage.failed(job_key(item), refusal.reason, now):
            self.outage.settled(job_key(item))
            self.holding.replies.settled(item)
            dead = self.results.change(item, WorkState.DEAD, ATTEMPTS, refusal.reason)
            self.results.finish(one, Outcome.UNAVAILABLE, refusal.reason, change=dead)
            self.results.item_log.given_up(item, refusal.reason)
            return ()
        waits = self.results.change(item, WorkState.PENDING, item.attempts, refusal.reason)
        self.results.finish(one, Outcome.UNAVAILABLE, refusal.reason, change=waits)
        await self._pause("service_unavailable", refusal.reason)
        return (item,)

    async def _wait_for_service(
        self, one: Try, attempt: Attempt, refusal: Unreachable
    ) -> Sequence[Job]:
        """Take back a request that was never sent: neither the quota nor the item pays for it."""
        await self._take_back(one.lease, attempt)
        self.live.unsent(one.lease.key, refusal.reason)
        self.outage.unreached(refusal.reason, self.clock.now())
        await self._pause("service_unreachable", refusal.reason)
        return (one.item,)

    async def _pause(self, event: str, reason: str) -> None:
        """Leave the service in peace for a while.

        Raises:
            ServiceDown: it has not answered for long.
            StopRequested: the run is to stop.
        """
        if self.outage.in_a_row == 1:
            log.warning(event, reason=reason, tried_again="until it answers")
        self.outage.require_end(self.clock.now())
        await self.outage.pause(self.clock, self.stop, self.rng)

    async def _refuse(self, one: Try, refusal: Refusal) -> Sequence[Job]:
        item, reason = one.item, refusal.reason
        if isinstance(refusal, WrongAddress):
            if self.outage.has_answered:
                # The address is right: something before the service is out of order.
                return await self._try_later(one, refusal)
            self.results.finish(one, Outcome.BAD_REQUEST, reason)
            raise InputError(f"{reason}; look at --base-url")
        self.pool.taken(one.lease)
        if self.holding.useful_keys.failure(one.lease.key.fingerprint):
            removal = self._removal_if_useless(one.lease.key, reason)
            self.results.finish(one, Outcome.BAD_REQUEST, reason, news=removal)
            return (item,)
        self.results.finish(
            one, Outcome.BAD_REQUEST, reason, change=self.results.waits(item, ATTEMPTS, reason)
        )
        failure = Failure(reason, is_refused=True)
        self.holding.failed(item, failure, one.lease.key.fingerprint, is_last=True)
        return ()

    def _removal_if_useless(self, key: Key, reason: str) -> KeyRemoval | None:
        """Take a key out of the pool with which nothing succeeds while it does with others."""
        if not self.holding.useful_keys.is_useless(key.fingerprint):
            return None
        told = f"none of {FIRST_TRIES} requests came to anything: {reason}"
        return self._removal(key, InvalidKey(told))

    def _settle(self, lease: Lease, reply: Reply) -> ProjectNews | None:
        # A reply that counts no tokens leaves the estimate standing.
        record = self.pool.settle(lease, reply.input_tokens or lease.reservation.tokens)
        return None if record is None else self._news(record)

    def _take_proof(self, one: Try, reply: Reply) -> _Again:
        """Heed that the service answers: what fails now is the item's own."""
        self.outage.is_back()
        news = self._settle(one.lease, reply)
        told = "only to see whether the service answers: it does"
        tokens = tokens_of(reply)
        self.results.finish(one, Outcome.UNUSABLE, told, tokens=tokens, news=news)
        return _Again.AT_ONCE

    def _take_reply(self, one: Try, request: Request, reply: Reply) -> Sequence[Job]:
        item, key = one.item, one.lease.key
        self.outage.answered(job_key(item))
        news = self._settle(one.lease, reply)
        judgement = judged(item, reply, self.prompt)
        self.results.item_log.reply(
            item, reply, judgement, key_label=key.label, attempt_id=one.attempt_id
        )
        if not judgement.is_usable:
            return self._take_useless(one, reply, judgement, news)
        self.answerable = request
        done = self.results.change(item, WorkState.DONE, item.attempts, answer=judgement.answer)
        read = Judged(reply, judgement)
        self.results.finish(one, Outcome.ANSWERED, reply.ending, read=read, change=done, news=news)
        return self.holding.useful_reply(key.fingerprint)

    def _take_useless(
        self, one: Try, reply: Reply, judgement: Judgement, news: ProjectNews | None
    ) -> Sequence[Job]:
        item, reason = one.item, judgement.reason
        # The service's own word on an image is the same whatever the key.
        key = "" if judgement.is_final else one.lease.key.fingerprint
        is_the_keys = bool(key) and self.holding.useful_keys.failure(key)
        failures = item.attempts + (not is_the_keys)
        self.results.finish(
            one,
            Outcome.UNUSABLE,
            reason,
            read=Judged(reply, judgement),
            change=self.results.waits(item, failures, reason),
            news=(self._removal_if_useless(one.lease.key, reason) if is_the_keys else None) or news,
        )
        if is_the_keys:
            return (item,)
        if judgement.is_final and self.holding.replies.is_proven:
            self.results.give_up(item, reason)
            return ()
        is_last = judgement.is_final or failures >= ATTEMPTS
        failure = Failure(reason, reply.text or reply.body)
        self.holding.failed(item, failure, key, is_last=is_last)
        return () if is_last else (replace(item, attempts=failures),)

    def _end(self, end: Exception) -> None:
        """Begin nothing new; the first reason is kept."""
        self.ended_by = self.ended_by or end
        self.holding.is_closed = True
        self.stop.request(str(end))
