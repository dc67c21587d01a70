"""The core loop: takes waiting items, asks for their questions, writes what came of it.

A transient failure never stops the run, and nothing that happens to one item stops another.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from curator.annotator import Annotator, Reply, Service
from curator.backoff import Outage, backoff_s
from curator.judging import Judgement, judge, judge_answer
from curator.keypool import KeyPool, KeysExhausted, Lease
from curator.ledger import (
    Attempt,
    ItemChange,
    KeyRemoval,
    Ledger,
    LedgerFailure,
    OpinionChange,
    Outcome,
    PairItem,
    ProjectNews,
    ProjectRecord,
    Result,
    TokenUse,
    WorkState,
)
from curator.live import LiveReport
from curator.photos import Found, PhotoQueue
from curator.prompt import Prompt, Request
from curator.refusals import (
    BadRequest,
    FormNotTaken,
    InvalidKey,
    RateLimited,
    Refusal,
    Unavailable,
    UnknownModel,
    Unreachable,
)
from curator.stopping import StopRequested, StopSignal
from curator.verification import opinion_change
from curator.work_queue import Job, Queue
from shared.clock import Clock
from shared.errors import CorruptImage, InputError

ATTEMPTS: Final = 5
"""Failures after which an item becomes a dead letter."""
OUTAGE_ATTEMPTS: Final = 20
"""The same while the whole service seems to be down."""
LOGGED_CHARACTERS: Final = 2_000

log = structlog.stdlib.get_logger("curator.daemon")


@dataclass(frozen=True, slots=True)
class _Try:
    """One request under way: ``failures`` counts the item's before it."""

    item: Job
    lease: Lease
    attempt_id: int
    failures: int


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
    outage: Outage = field(default_factory=Outage)
    ended_by: Exception | None = None
    # Of its own name, so that these lines, one an item, can be kept off the terminal; bound once,
    # since a logger of the module would be made anew for each line.
    item_log: structlog.stdlib.BoundLogger = field(
        default_factory=lambda: structlog.stdlib.get_logger("curator.items").bind()
    )

    async def run(self, queue: Queue, workers: int) -> None:
        """Work until the queue is empty or the run is to stop; what is in flight is finished.

        Raises:
            KeysExhausted: no key can serve before the next quota day.
            InputError: the service does not know the model.
            LedgerFailure: the ledger cannot be written.
        """
        try:
            with PhotoQueue(queue, self.images_dir, ahead=workers) as jobs:
                async with asyncio.TaskGroup() as group:
                    for _ in range(workers):
                        group.create_task(self._work(jobs))
        except* LedgerFailure as failures:
            raise failures.exceptions[0] from None
        await self.ledger.settled()
        if self.ended_by is not None:
            raise self.ended_by

    async def _work(self, jobs: PhotoQueue) -> None:
        try:
            while not self.stop.requested and (job := await jobs.take()):
                await self._ask(*job)
        except StopRequested:
            return
        except KeysExhausted as end:
            # Not a stop: what others have reserved is still theirs to send.
            self.ended_by = self.ended_by or end
        except InputError as end:
            self.ended_by = self.ended_by or end
            self.stop.request(str(end))

    async def _ask(self, item: Job, photo: Found) -> None:
        if isinstance(photo, CorruptImage):
            await self._give_up_unasked(item, f"broken image: {photo}")
            return
        if isinstance(item, PairItem):
            request = self.prompt.question_request(item.question, photo.jpeg, photo.longest_px)
        else:
            request = self.prompt.request(item.listing.metadata, photo.jpeg, photo.longest_px)
        failures: int | None = item.attempts
        while failures is not None:
            failures = await self._try(item, request, failures)

    async def _try(self, item: Job, request: Request, failures: int) -> int | None:
        """Make one request; return the item's failures so far, ``None`` once it is settled."""
        lease, attempt = await self._begin(item, request)
        self.live.begun(lease.key)
        one = _Try(item, lease, attempt.attempt_id, failures)
        try:
            reply = await self.annotator.generate(request, lease.key)
        except RateLimited as refusal:
            return self._cool_down(one, refusal)
        except InvalidKey as refusal:
            return self._remove_key(one, refusal)
        except Unavailable as refusal:
            return await self._try_later(one, attempt, refusal)
        except FormNotTaken as refusal:
            self._finish(one, Outcome.BAD_REQUEST, refusal.reason)
            return one.failures
        except (BadRequest, UnknownModel) as refusal:
            self._refuse(one, refusal)
            return None
        return self._take_reply(one, reply)

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

    def _cool_down(self, one: _Try, refusal: RateLimited) -> int:
        news = self._news(self.pool.cool_down(one.lease, refusal))
        self._finish(one, Outcome.RATE_LIMITED, refusal.reason, news=news)
        return one.failures

    def _remove_key(self, one: _Try, refusal: InvalidKey) -> int:
        key = one.lease.key
        self.pool.remove(key, refusal.reason)
        news = KeyRemoval(key.fingerprint, refusal.reason, self.clock.now())
        self._finish(one, Outcome.INVALID_KEY, refusal.reason, news=news)
        return one.failures

    async def _try_later(self, one: _Try, attempt: Attempt, refusal: Unavailable) -> int | None:
        if isinstance(refusal, Unreachable):
            await self._wait_for_service(one, attempt, refusal)
            return one.failures
        self.outage.failure(one.item.item_id)
        failures = one.failures + 1
        limit = OUTAGE_ATTEMPTS if self.outage.suspected else ATTEMPTS
        if failures >= limit:
            self._give_up(one, Outcome.UNAVAILABLE, refusal.reason)
            return None
        # What an outage did to an item must not be held against it in the next run.
        kept = self._pending(one, min(failures, ATTEMPTS - 1), refusal.reason)
        self._finish(one, Outcome.UNAVAILABLE, refusal.reason, change=kept)
        await self.stop.sleep(self.clock, backoff_s(failures, self.rng))
        return failures

    async def _wait_for_service(self, one: _Try, attempt: Attempt, refusal: Unreachable) -> None:
        """Take back a request that was never sent: neither the quota nor the item pays for it."""
        await self._take_back(one.lease, attempt)
        self.live.unsent(one.lease.key, refusal.reason)
        in_a_row = self.outage.unreached()
        if in_a_row == 1:
            log.warning(
                "service_unreachable", reason=refusal.reason, tried_again="until it answers"
            )
        await self.stop.sleep(self.clock, backoff_s(in_a_row, self.rng))

    def _refuse(self, one: _Try, refusal: Refusal) -> None:
        if isinstance(refusal, UnknownModel):
            self._finish(one, Outcome.BAD_REQUEST, refusal.reason)
            raise InputError(f"model {self.model!r}: {refusal.reason}; give another --model")
        self._give_up(one, Outcome.BAD_REQUEST, refusal.reason)

    def _take_reply(self, one: _Try, reply: Reply) -> int | None:
        self.outage.success()
        # A reply that counts no tokens leaves the estimate standing.
        spent = reply.input_tokens or one.lease.reservation.tokens
        record = self.pool.settle(one.lease, spent)
        news = None if record is None else self._news(record)
        judgement = self._judged(one.item, reply)
        self._log_reply(one, reply, judgement)
        if judgement.is_usable:
            done = self._change(one.item, WorkState.DONE, one.failures, answer=judgement.answer)
            self._finish(
                one,
                Outcome.ANSWERED,
                reply.ending,
                reply=reply,
                change=done,
                judgement=judgement,
                news=news,
            )
            return None
        failures = one.failures + 1
        if judgement.is_final or failures >= ATTEMPTS:
            self._give_up(
                one,
                Outcome.UNUSABLE,
                judgement.reason,
                reply=reply,
                judgement=judgement,
                news=news,
            )
            return None
        kept = self._pending(one, failures, judgement.reason)
        self._finish(
            one,
            Outcome.UNUSABLE,
            judgement.reason,
            reply=reply,
            change=kept,
            judgement=judgement,
            news=news,
        )
        return failures

    def _judged(self, item: Job, reply: Reply) -> Judgement:
        if isinstance(item, PairItem):
            return judge_answer(reply)
        return judge(
            reply,
            questions=self.prompt.questions,
            answer_words=self.prompt.answer_words,
            metadata=item.listing.metadata,
        )

    def _change(
        self, item: Job, state: WorkState, failures: int, reason: str = "", answer: str = ""
    ) -> ItemChange | OpinionChange:
        if isinstance(item, PairItem):
            return opinion_change(
                self.campaign_id, item, state, failures=failures, reason=reason, answer=answer
            )
        return ItemChange(self.campaign_id, item.item_id, state, failures, reason)

    def _pending(self, one: _Try, failures: int, reason: str) -> ItemChange | OpinionChange:
        return self._change(one.item, WorkState.PENDING, failures, reason)

    def _give_up(
        self,
        one: _Try,
        outcome: Outcome,
        reason: str,
        *,
        reply: Reply | None = None,
        judgement: Judgement | None = None,
        news: ProjectNews | None = None,
    ) -> None:
        dead = self._change(one.item, WorkState.DEAD, one.failures + 1, reason)
        self._finish(one, outcome, reason, reply=reply, change=dead, judgement=judgement, news=news)
        self._log_given_up(one.item, reason)

    async def _give_up_unasked(self, item: Job, reason: str) -> None:
        dead = self._change(item, WorkState.DEAD, item.attempts, reason)
        result = Result(None, self.clock.now(), Outcome.BAD_REQUEST, change=dead)
        await self.ledger.finish(result)
        self.live.finished(result, item, None)
        self._log_given_up(item, reason)

    def _finish(
        self,
        one: _Try,
        outcome: Outcome,
        detail: str,
        *,
        reply: Reply | None = None,
        change: ItemChange | OpinionChange | None = None,
        judgement: Judgement | None = None,
        news: ProjectNews | KeyRemoval | None = None,
    ) -> None:
        tokens = TokenUse()
        if reply is not None:
            tokens = TokenUse(reply.input_tokens, reply.output_tokens, reply.thought_tokens)
        result = Result(
            attempt_id=one.attempt_id,
            finished_at=self.clock.now(),
            outcome=outcome,
            detail=detail,
            tokens=tokens,
            reply=None if reply is None else reply.body,
            change=change,
            verdict=None if judgement is None else judgement.verdict,
            facts=None if judgement is None else judgement.facts,
            model_version="" if reply is None else reply.model,
        )
        written = self.ledger.finish(result, *([] if news is None else [news]))
        written.add_done_callback(partial(self._written, result, one))

    def _written(self, result: Result, one: _Try, written: asyncio.Future[None]) -> None:
        try:
            written.result()
            self.live.finished(result, one.item, one.lease.key)
        except Exception as error:  # noqa: BLE001 - nobody waits for this; the run is to tell
            self.ended_by = error
            self.stop.request(str(error))

    def _log_reply(self, one: _Try, reply: Reply, judgement: Judgement) -> None:
        verdict = judgement.verdict
        about = (
            {"question": one.item.question, "answer": judgement.answer}
            if isinstance(one.item, PairItem)
            else {}
        )
        counts = (
            {"accepted": len(verdict.accepted), "rejected": len(verdict.rejected)}
            if verdict is not None
            else {}
        )
        self.item_log.info(
            "reply",
            listing=one.item.listing.listing_id,
            image=one.item.listing.image.path,
            key=one.lease.key.label,
            prompt_version=self.prompt.version,
            attempt=one.attempt_id,
            ending=reply.ending,
            form=judgement.facts.form.value,
            response=reply.text[:LOGGED_CHARACTERS],
            **about,
            **counts,
        )

    def _log_given_up(self, item: Job, reason: str) -> None:
        about = {"question": item.question} if isinstance(item, PairItem) else {}
        image = item.listing.image.path
        self.item_log.warning("item_given_up", image=image, reason=reason, **about)
