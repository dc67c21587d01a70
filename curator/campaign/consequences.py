"""What follows from each answer: for the item, its key, the project, the service and the run."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from curator.campaign.failures.holding import Holding
from curator.campaign.failures.streak import BringsNothing, Failure
from curator.campaign.failures.suspects import Source
from curator.campaign.results import ATTEMPTS, Judged, Results, Try
from curator.campaign.serving import Serving, source_of
from curator.campaign.waiting.jobs import Job
from curator.judging.agreeing.listing_map import ListingMap
from curator.judging.judge import Judgement
from curator.ledger import (
    Attempt,
    FormNews,
    Ledger,
    Outcome,
    ProjectNews,
    SettingNews,
    WorkState,
)
from curator.prompts.prompts import Prompts
from curator.status.live import LiveReport
from shared.endpoints.outage import Outage
from shared.endpoints.pool.lease import Lease
from shared.endpoints.pool.pool import KeyPool
from shared.endpoints.protocols.annotator import Reply
from shared.endpoints.refusals.refusal import (
    BadRequest,
    FormNotTaken,
    InvalidKey,
    ProjectRefused,
    RateLimited,
    Refusal,
    Unanswered,
    Unreachable,
    WrongAddress,
)
from shared.endpoints.request import Request
from shared.errors import InputError
from shared.program.async_stopping import AsyncStopSignal
from shared.program.clock import Clock
from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)

_TRIED_AGAIN: Final = "until it answers"


class Again(Enum):
    """That an item is to be asked about at once: what happened was not about it."""

    AT_ONCE = 1


@dataclass(slots=True)
class Consequences:
    """Draws what follows from a reply or a refusal; what is to be tried again is returned."""

    prompts: Prompts
    listing_map: ListingMap | None
    ledger: Ledger
    pool: KeyPool
    clock: Clock
    stop: AsyncStopSignal
    live: LiveReport
    rng: random.Random
    results: Results
    holding: Holding
    outage: Outage
    serving: Serving = field(init=False)
    answerable: Request | None = None
    """What was answered last: where that is answered again, the service is there."""
    plainly_asked: set[tuple[str, str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.serving = Serving(self.pool, self.clock, self.results, self.holding.useful)

    async def take_back(self, lease: Lease, attempt: Attempt) -> None:
        """Undo a reservation whose request was never sent."""
        self.pool.give_back(lease)
        await self.ledger.withdraw(attempt)

    def cool_down(self, tried: Try, refusal: RateLimited) -> None:
        """Let the project rest."""
        news = self.serving.news(self.pool.cool_down(tried.lease, refusal))
        self.results.finish(tried, Outcome.RATE_LIMITED, refusal.reason, news=[news])

    def remove_key(self, tried: Try, refusal: InvalidKey) -> None:
        """Take a key out of the pool for good."""
        news = self.serving.removal(tried.lease.key, refusal)
        self.results.finish(tried, Outcome.INVALID_KEY, refusal.reason, news=[news])

    def close_project(self, tried: Try, refusal: ProjectRefused) -> None:
        """Ask this project no more for the model, or no more at all."""
        news = [self.serving.news(record) for record in self.pool.close(tried.lease, refusal)]
        self.results.finish(tried, Outcome.NOT_SERVED, refusal.reason, news=news)

    async def try_later(self, tried: Try, refusal: Refusal) -> Sequence[Job]:
        """Let an item wait until the service answers; give it up where the fault is its own."""
        self.pool.unanswered(tried.lease)
        item, now = tried.item, self.clock.now()
        is_lost = isinstance(refusal, Unanswered)
        outcome = Outcome.UNANSWERED if is_lost else Outcome.UNAVAILABLE
        if self.outage.failed(item.key, refusal.reason, now):
            self.outage.settled(item.key)
            self.holding.replies.settled(item)
            dead = self.results.change(item, WorkState.DEAD, ATTEMPTS, refusal.reason)
            self.results.finish(tried, outcome, refusal.reason, change=dead)
            self.results.item_log.given_up(item, refusal.reason)
            return ()
        waits = self.results.change(item, WorkState.PENDING, item.attempts, refusal.reason)
        self.results.finish(tried, outcome, refusal.reason, change=waits)
        if self.outage.is_news:
            log.warning("service_unavailable", reason=refusal.reason, tried_again=_TRIED_AGAIN)
        await self._pause(item)
        return (item,)

    async def wait_for_service(
        self, tried: Try, attempt: Attempt, refusal: Unreachable
    ) -> Sequence[Job]:
        """Take back a request that was never sent: neither the quota nor the item pays for it."""
        await self.take_back(tried.lease, attempt)
        self.live.unsent(tried.lease, refusal.reason)
        self.outage.unreached(refusal.reason, self.clock.now())
        if self.outage.is_news:
            log.warning("service_unreachable", reason=refusal.reason, tried_again=_TRIED_AGAIN)
        await self._pause(tried.item)
        return (tried.item,)

    async def _pause(self, item: Job) -> None:
        """Leave the service in peace for a while.

        Raises:
            ServiceDown: it has not answered for long.
            StopRequested: the run is to stop.
        """
        self.outage.require_end(self.clock.now())
        await self.outage.pause(item.key, self.clock, self.stop, self.rng)

    async def doubt_address(self, tried: Try, refusal: WrongAddress) -> Sequence[Job]:
        """Wait where the address has answered before; end the run where it has not.

        Raises:
            InputError: nothing that answers our requests is there.
        """
        if self.outage.has_answered:
            # The address is right: something before the service is out of order.
            return await self.try_later(tried, refusal)
        self.results.finish(tried, Outcome.BAD_REQUEST, refusal.reason)
        raise InputError(f"{refusal.reason}; look at --endpoint")

    def ask_more_plainly(self, tried: Try, annotator: str, refusal: FormNotTaken) -> None:
        """Remember how a model is asked from now on; the item is asked about again at once."""
        self.serving.taken(tried)
        model, reason, setting = tried.lease.model, refusal.reason, refusal.left_out
        news = (
            SettingNews(annotator, model, setting, self.clock.now())
            if setting
            else FormNews(annotator, model, refusal.form, self.clock.now())
        )
        self.results.finish(tried, Outcome.BAD_REQUEST, reason, news=[news])
        if (model, setting, refusal.form) in self.plainly_asked:
            return
        self.plainly_asked.add((model, setting, refusal.form))
        if setting:
            self.live.left_out(model, setting)
            log.warning(
                "model_takes_no_such_setting",
                model=model,
                left_out=setting,
                why=reason,
                goes_on="as the model chooses",
            )
        else:
            log.info("model_takes_no_such_form", model=model, asked_in=refusal.form, why=reason)

    def refuse(self, tried: Try, refusal: BadRequest) -> Sequence[Job] | Again:
        """Find out whose fault a refused request is: the item's, the key's or the model's."""
        item, reason, source = tried.item, refusal.reason, source_of(tried.lease)
        self.serving.taken(tried)
        if tried.is_proof:
            # A refusal is an answer too, and was to another item's request.
            self.outage.proof_came()
            self.results.finish(tried, Outcome.BAD_REQUEST, reason)
            return Again.AT_ONCE
        if item.canary_day is not None:
            return self._leave_canary(tried, Outcome.BAD_REQUEST, reason, ATTEMPTS)
        if suspect := self.holding.useful.failure(source):
            news = self.serving.news_if_useless(tried.lease, suspect, reason)
            self.results.finish(tried, Outcome.BAD_REQUEST, reason, news=news)
            return (item,)
        self.results.finish(
            tried, Outcome.BAD_REQUEST, reason, change=self.results.waits(item, ATTEMPTS, reason)
        )
        return self._failed(tried, Failure(reason, is_refused=True), source, is_last=True)

    def _leave_canary(
        self,
        tried: Try,
        outcome: Outcome,
        reason: str,
        failures: int,
        *,
        read: Judged | None = None,
        news: Sequence[ProjectNews] = (),
    ) -> Sequence[Job]:
        """Ask once more, or no more today: nothing follows for the images, or who serves them."""
        item = tried.item
        is_last = failures >= ATTEMPTS
        state = WorkState.DEAD if is_last else WorkState.PENDING
        change = self.results.change(item, state, failures, reason)
        self.results.finish(tried, outcome, reason, read=read, change=change, news=news)
        if is_last:
            self.results.item_log.given_up(item, reason)
        return () if is_last else (item.failed(failures),)

    def _failed(
        self, tried: Try, failure: Failure, source: Source | None, *, is_last: bool
    ) -> list[Job]:
        """Count that nothing came of a request; return what is to be asked about again.

        Raises:
            BringsNothing, InputError: nothing comes of any, whatever model is asked.
        """
        try:
            self.holding.failed(tried.item, failure, source, is_last=is_last)
        except (BringsNothing, InputError) as end:
            model = tried.lease.model
            if not self.pool.others_serve(model):
                raise
            log.warning("model_brings_nothing", model=model, why=str(end))
            self.serving.tell(self.serving.closed_model(tried.lease, failure.reason))
            return self.holding.released()
        return []

    def take_nothing(
        self, tried: Try, outcome: Outcome, failure: Failure, reply: Reply | None = None
    ) -> Sequence[Job]:
        """Count a request of a batch job of which nothing came that is the item's own.

        ``reply`` is one that was to be paid all the same.

        Raises:
            BringsNothing, InputError: nothing comes of any, whatever model is asked.
        """
        item, failures = tried.item, tried.item.attempts + 1
        change = self.results.waits(item, failures, failure.reason)
        self.results.finish(tried, outcome, failure.reason, proof=reply, change=change)
        if failures < ATTEMPTS:
            return [item.failed(failures)]
        return self._failed(tried, failure, source_of(tried.lease), is_last=True)

    def _take_proof(self, tried: Try, reply: Reply) -> Again:
        """Heed that the service answers: what fails now is the item's own."""
        self.outage.proof_came()
        news = self.serving.settled(tried, reply)
        told = "only to see whether the service answers: it does"
        self.results.finish(tried, Outcome.UNUSABLE, told, proof=reply, news=news)
        return Again.AT_ONCE

    def take_reply(
        self, tried: Try, request: Request | None, reply: Reply
    ) -> Sequence[Job] | Again:
        """Write what a reply brought, to the item's own request or to one that stood in for it.

        ``request`` is ``None`` where it was part of a batch job.
        """
        if tried.is_proof:
            return self._take_proof(tried, reply)
        item = tried.item
        self.outage.answered(item.key)
        news = self.serving.settled(tried, reply)
        judgement = item.judged(reply, self.prompts, self.listing_map)
        self.results.item_log.reply(
            item, reply, judgement, lease=tried.lease, attempt_id=tried.attempt_id
        )
        if not judgement.is_usable:
            return self._take_useless(tried, reply, judgement, news)
        self.answerable = request or self.answerable
        done = self.results.change(item, WorkState.DONE, item.attempts, judgement=judgement)
        read = Judged(reply, judgement)
        self.results.finish(
            tried, Outcome.ANSWERED, reply.ending, read=read, change=done, news=news
        )
        return self.holding.useful_reply(source_of(tried.lease))

    def _take_useless(
        self, tried: Try, reply: Reply, judgement: Judgement, news: Sequence[ProjectNews]
    ) -> Sequence[Job]:
        item, reason = tried.item, judgement.reason
        if item.canary_day is not None:
            failures = ATTEMPTS if judgement.is_final else item.attempts + 1
            read = Judged(reply, judgement)
            return self._leave_canary(
                tried, Outcome.UNUSABLE, reason, failures, read=read, news=news
            )
        # The service's own word on an image is the same whatever the key.
        source = None if judgement.is_final else source_of(tried.lease)
        suspect = self.holding.useful.failure(source) if source else None
        failures = item.attempts + (suspect is None)
        self.results.finish(
            tried,
            Outcome.UNUSABLE,
            reason,
            read=Judged(reply, judgement),
            change=self.results.waits(item, failures, reason),
            news=(suspect and self.serving.news_if_useless(tried.lease, suspect, reason)) or news,
        )
        if suspect:
            return (item,)
        if judgement.is_final and self.holding.replies.is_proven:
            self.results.give_up(item, reason)
            return ()
        is_last = judgement.is_final or failures >= ATTEMPTS
        failure = Failure(reason, reply.text or reply.body)
        released = self._failed(tried, failure, source, is_last=is_last)
        return released if is_last else [*released, item.failed(failures)]
