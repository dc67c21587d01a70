"""The core loop: takes waiting items, asks for their questions, writes what came of it.

A transient failure never stops the run, and nothing that happens to one item stops another.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from curator.campaign.budget import Budget, BudgetSpent
from curator.campaign.canaries.jobs import CanaryJob
from curator.campaign.canaries.telling import tell_left
from curator.campaign.canaries.turn import CanariesDue, CanaryTurn
from curator.campaign.consequences import Again, Consequences
from curator.campaign.failures.holding import Holding
from curator.campaign.failures.shedding import NoRoom, Shedding
from curator.campaign.failures.streak import BringsNothing
from curator.campaign.failures.tiers import TierTrouble
from curator.campaign.results import Results, Try
from curator.campaign.waiting.jobs import Job, views_of
from curator.campaign.waiting.photos import PhotoOrFault, PhotoQueue
from curator.campaign.waiting.queue import Queue, one_page
from curator.judging.agreeing.listing_map import ListingMap
from curator.ledger import Attempt, Ledger, LedgerFailure, Outcome
from curator.prompts.prompts import Prompts
from curator.status.live import LiveReport
from shared.endpoints.image_encoding import Photo
from shared.endpoints.keys.quota_day import next_day, quota_date
from shared.endpoints.models.known import KnownModel
from shared.endpoints.models.tier import Tier
from shared.endpoints.outage import Outage, ServiceDown
from shared.endpoints.pool.exhaustion import KeysExhausted, NoProjectMayUse, OnExhausted
from shared.endpoints.pool.lease import Lease
from shared.endpoints.pool.pool import KeyPool
from shared.endpoints.protocols.annotator import Annotator, Reply
from shared.endpoints.protocols.departures import Departure, told_of
from shared.endpoints.protocols.registry import Service
from shared.endpoints.refusals.refusal import (
    BadRequest,
    FormNotTaken,
    InvalidKey,
    ProjectRefused,
    RateLimited,
    Shed,
    TierRefused,
    Unavailable,
    Unreachable,
    WrongAddress,
)
from shared.endpoints.request import Measure, Request
from shared.endpoints.token_estimates import CountedReply, TokenEstimates
from shared.errors import InputError, StoreUnreachable
from shared.images.fitness import ANY_PICTURE, Fitness
from shared.program.async_stopping import AsyncStopSignal, StopRequested
from shared.program.clock import Clock
from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)


@dataclass(slots=True)
class Curator:
    """Everything that one run works with."""

    campaign_id: int
    models: Sequence[KnownModel]
    service: Service
    prompts: Prompts
    listing_map: ListingMap | None
    images_dir: Path
    ledger: Ledger
    pool: KeyPool
    annotator: Annotator
    clock: Clock
    stop: AsyncStopSignal
    live: LiveReport
    rng: random.Random
    results: Results
    holding: Holding
    estimates: TokenEstimates
    budget: Budget
    canaries: CanaryTurn
    concurrency: int
    wanted: Fitness = ANY_PICTURE
    tier: Tier = Tier.STANDARD
    outage: Outage = field(default_factory=Outage)
    shedding: Shedding = field(default_factory=Shedding)
    then: Consequences = field(init=False)
    tiers: TierTrouble = field(init=False)
    ended_by: Exception | None = None

    def __post_init__(self) -> None:
        self.then = Consequences(
            self.prompts,
            self.listing_map,
            self.ledger,
            self.pool,
            self.clock,
            self.stop,
            self.live,
            self.rng,
            self.results,
            self.holding,
            self.outage,
        )
        self.tiers = TierTrouble(
            self.pool, self.clock, self.stop, self.rng, self.results, self.shedding
        )

    async def run(self, queue: Queue, workers: int) -> None:
        """Work until the queue is empty or the run is to stop; what is in flight is finished.

        Raises:
            KeysExhausted: no key can serve before the next quota day.
            BudgetSpent: the next request might pass the budget.
            ServiceDown: the service has not answered for long.
            NoRoom: the tier has had none for long.
            InputError: the model, the address or every request is refused.
            BringsNothing: nothing comes of what is tried.
            StoreUnreachable: the images cannot be read now.
            LedgerFailure: the ledger cannot be written.
        """
        await self._crew(queue, workers, self._work)
        await self._finish()

    async def ask_canaries(self) -> None:
        """Ask the models in use what they have still to be asked today.

        Raises:
            As ``run`` does, but that quota and budget suffice is not asked for.
        """
        await self.canaries.choose()
        outcomes = self.live.report(self.clock.now()).outcomes_by_model
        for model in self.models:
            if outcomes.get(model.name, {}).get(Outcome.ANSWERED.value):
                await self._ask_canaries_of(model.name)
        await self._finish()

    async def _ask_canaries_of(self, model: str) -> None:
        async def ask_all(jobs: Sequence[CanaryJob]) -> None:
            ends: list[Exception] = []
            work = partial(self._work_on_canaries, ends=ends)
            await self._crew(Queue(one_page(jobs)), min(self.concurrency, len(jobs)), work)
            if ends:
                tell_left(model, ends[0])

        await self.canaries.ask(model, ask_all)

    async def _crew(
        self, queue: Queue, workers: int, work: Callable[[PhotoQueue], Coroutine[Any, Any, None]]
    ) -> None:
        """Let ``workers`` empty a queue."""
        try:
            with PhotoQueue(queue, self.images_dir, workers, self.wanted) as jobs:
                async with asyncio.TaskGroup() as group:
                    for _ in range(workers):
                        group.create_task(work(jobs))
        except* LedgerFailure as failures:
            raise failures.exceptions[0] from None

    async def _finish(self) -> None:
        """Settle what is held, and end with the run's error, if there is one."""
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
            await self._take_turns(jobs)
        except (KeysExhausted, BudgetSpent) as end:
            # Not a stop: what others have reserved is still theirs to send.
            self.ended_by = self.ended_by or end
        except NoProjectMayUse as end:
            self._end(end)

    async def _work_on_canaries(self, jobs: PhotoQueue, ends: list[Exception]) -> None:
        try:
            await self._take_turns(jobs)
        except (KeysExhausted, BudgetSpent, NoProjectMayUse) as end:
            # The images may still be asked about, with other models or another day.
            ends.append(end)

    async def _take_turns(self, jobs: PhotoQueue) -> None:
        try:
            while not self.stop.requested and (job := await jobs.take()):
                for again in await self._ask(*job):
                    jobs.put_back(again)
                await self.canaries.asked_about(job[0].item_id)
        except StopRequested:
            return
        except NoProjectMayUse:
            raise
        except (InputError, BringsNothing, StoreUnreachable, ServiceDown, NoRoom) as end:
            self._end(end)

    async def _ask(self, item: Job, photo: PhotoOrFault) -> Sequence[Job]:
        """Make one request; return what is to be tried again, the item itself or others."""
        if not isinstance(photo, Photo):
            await self.holding.unreadable(item, photo)
            return ()
        self.holding.photo_read()
        item = self.results.with_views_read(item, photo)
        request = item.request(photo, self.prompts)
        while True:
            try:
                async with self.outage.admitted(self.clock, self.stop, self.rng):
                    in_doubt = self.outage.is_in_doubt(item.key)
                    tried = (self.then.answerable if in_doubt else None) or request
                    if is_proof := tried is not request:
                        self.outage.proof_asked()
                    async with self.budget.admitted(measure := tried.measure, self.stop) as most:
                        answered = await self._try(item, tried, measure, most, is_proof=is_proof)
            except CanariesDue as due:
                await self._ask_canaries_of(due.model)
                continue
            if answered is not Again.AT_ONCE:
                return answered

    async def _try(
        self, item: Job, request: Request, measure: Measure, most: int | None, *, is_proof: bool
    ) -> Sequence[Job] | Again:
        """Make one request for ``most`` output tokens; return what is to be tried again."""
        lease, attempt = await self._begin(item, measure)
        self.live.begun(lease)
        tried = Try(item, lease, attempt.attempt_id, attempt.tier, is_proof)
        again: Sequence[Job] | Again = Again.AT_ONCE
        try:
            sent = request if most is None else replace(request, most_output_tokens=most)
            reply = await self._send(sent, lease)
        except RateLimited as refusal:
            self.then.cool_down(tried, refusal)
        except InvalidKey as refusal:
            self.then.remove_key(tried, refusal)
        except ProjectRefused as refusal:
            self.then.close_project(tried, refusal)
        except Shed as refusal:
            again = await self.tiers.wait_for_room(tried, refusal)
        except TierRefused as refusal:
            self.tiers.leave_tier(tried, refusal)
        except Unreachable as refusal:
            again = await self.then.wait_for_service(tried, attempt, refusal)
        except Unavailable as refusal:
            self.budget.failed(attempt, refusal)
            again = await self.then.try_later(tried, refusal)
        except FormNotTaken as refusal:
            self.then.ask_more_plainly(tried, self.service.value, refusal)
        except WrongAddress as refusal:
            again = await self.then.doubt_address(tried, refusal)
        except BadRequest as refusal:
            again = self.then.refuse(tried, refusal)
        else:
            await self.results.turns.taken()
            self.budget.spend(attempt, reply)
            self.shedding.had_room(item.key)
            self.learn(attempt, reply)
            again = self.then.take_reply(tried, request, reply)
        return again

    def learn(self, attempt: Attempt, reply: Reply) -> None:
        """Learn from a reply what requests take."""
        if reply.input_tokens:
            self.estimates.heard(
                CountedReply(
                    attempt.model,
                    attempt.settings,
                    attempt.measure,
                    input=reply.input_tokens,
                    images=reply.image_tokens,
                    output=reply.output_tokens,
                    thoughts=reply.thought_tokens,
                )
            )

    async def _send(self, request: Request, lease: Lease) -> Reply:
        departure = Departure(partial(self.pool.waits, lease), partial(self.pool.left, lease))
        with told_of(departure):
            try:
                return await self.annotator.generate(request, lease.key, lease.model)
            finally:
                self.pool.over(lease)

    async def _begin(self, item: Job, measure: Measure) -> tuple[Lease, Attempt]:
        """Reserve a request and make that durable; a stop or a refusal meanwhile takes it back.

        Raises:
            StopRequested: the run is to stop.
            KeysExhausted: no key can serve before the next quota day.
            CanariesDue: the model whose turn it is has its canaries to answer first.
        """
        estimates = self.estimates
        models = [each for each in self.models if item.only_model in {"", each.name}]
        tokens = {model.name: estimates.input_tokens(model, measure) for model in models}
        while True:
            lease = await self._lease(item, tokens)
            attempt = Attempt(
                attempt_id=self.ledger.new_attempt_id(),
                campaign_id=self.campaign_id,
                item_id=item.item_id,
                key_fingerprint=lease.key.fingerprint,
                project=lease.key.project,
                model=lease.model,
                started_at=lease.at,
                reserved_tokens=lease.reservation.tokens,
                question=item.question,
                annotator=self.service.value,
                measure=measure,
                settings=estimates.asked(lease.model),
                tier=self.tier,
                canary_day=item.canary_day,
                views=views_of(item),
            )
            try:
                await self.ledger.begin(attempt)
                await self.results.send_turns.taken()
            except asyncio.CancelledError:
                await self.then.take_back(lease, attempt)
                raise
            # Meanwhile the model may have refused a setting: the row is to tell what is sent.
            is_as_written = estimates.asked(lease.model) == attempt.settings
            if is_as_written and self.pool.may_send(lease) and not self.stop.requested:
                return lease, attempt
            await self.then.take_back(lease, attempt)

    async def _lease(self, item: Job, tokens: Mapping[str, int]) -> Lease:
        if item.canary_day is None:
            lease = await self.pool.lease(tokens, item.answered_by)
            if self.canaries.is_due(lease.model, lease.at):
                self.pool.give_back(lease)
                raise CanariesDue(lease.model)
            return lease
        lease = await self.pool.lease(tokens, on_exhausted=OnExhausted.STOP)
        if quota_date(lease.at) != item.canary_day:
            self.pool.give_back(lease)
            raise KeysExhausted(next_day(lease.at), "another day has begun")
        return lease

    def _end(self, end: Exception) -> None:
        """Begin nothing new; the first reason is kept."""
        self.ended_by = self.ended_by or end
        self.holding.is_closed = True
        self.stop.request(str(end))
