"""Writes what became of each request, and of the images that none is made about any more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from curator.campaign.item_log import ItemLog
from curator.campaign.model_watch import ModelWatch
from curator.campaign.waiting.jobs import Job, ListingJob, views_of
from curator.judging.judge import Judgement
from curator.ledger import (
    CanaryChange,
    FormNews,
    ItemChange,
    KeyRemoval,
    Ledger,
    OpinionChange,
    Outcome,
    ProjectNews,
    Result,
    SettingNews,
    TokenUse,
    WorkState,
    tokens_of,
)
from curator.status.live import LiveReport
from shared.endpoints.image_encoding import Photo
from shared.endpoints.models.model_status import NO_STATUS
from shared.endpoints.models.tier import Tier
from shared.endpoints.pool.lease import Lease
from shared.endpoints.protocols.annotator import Reply
from shared.program.async_stopping import AsyncStopSignal
from shared.program.clock import Clock
from shared.program.process.loop_turns import LoopTurns
from shared.value_class import value_class

Change = ItemChange | OpinionChange | CanaryChange

REPLIES_A_TURN: Final = 16
"""Replies that are judged in one turn of the event loop: some five milliseconds' work."""
SENDS_A_TURN: Final = 16
"""Requests that are sent in one turn, each of which may have to open a connection first."""
ATTEMPTS: Final = 5
"""Failures of its own after which an item becomes a dead letter."""
NOT_READ: Final = "did not go along with another picture: it cannot be read, or is not fit"


@value_class
class Try:
    """One request under way; ``is_proof`` where something answered before stands in for the item.

    What comes of such a one tells about the service, and nothing about the item.
    """

    item: Job
    lease: Lease
    attempt_id: int
    tier: Tier = Tier.STANDARD
    is_proof: bool = False


@value_class
class Judged:
    """A reply and what it is worth."""

    reply: Reply
    judgement: Judgement


def tier_paid(asked: Tier, reply: Reply | None) -> Tier:
    """Return the tier at which a request is paid: the one that its reply tells, if it tells one."""
    return asked if reply is None or reply.tier is None else reply.tier


@dataclass(slots=True)
class Results:
    """The results of one campaign; what cannot be written stops the run, and stands in ``lost``."""

    campaign_id: int
    ledger: Ledger
    clock: Clock
    live: LiveReport
    item_log: ItemLog
    model_watch: ModelWatch
    stop: AsyncStopSignal
    lost: Exception | None = None
    views_returned: int = 0
    """Pictures that wait again because they could not go along."""
    turns: LoopTurns = field(default_factory=lambda: LoopTurns(REPLIES_A_TURN))
    """Whoever has a reply takes one of these first."""
    send_turns: LoopTurns = field(default_factory=lambda: LoopTurns(SENDS_A_TURN))
    """Whoever is about to send takes one of these: a group of hundreds is durable at one moment."""

    def change(
        self,
        item: Job,
        state: WorkState,
        failures: int,
        reason: str = "",
        judgement: Judgement | None = None,
    ) -> Change:
        """Return the change of an item's state."""
        return item.change(self.campaign_id, state, failures, reason, judgement)

    def waits(self, item: Job, failures: int, reason: str) -> Change:
        """Return the change of an item that failed; the next run is to try it once at least."""
        return self.change(item, WorkState.PENDING, min(failures, ATTEMPTS - 1), reason)

    def give_up(self, item: Job, reason: str) -> None:
        """Make a dead letter of an item about which no request is under way."""
        self._write_unasked(item, self.change(item, WorkState.DEAD, ATTEMPTS, reason))
        self.item_log.given_up(item, reason)

    def leave_out(self, item: Job, reason: str) -> None:
        """Ask nothing about an item whose picture has not what is wanted; nothing failed."""
        self._write_unasked(item, self.change(item, WorkState.UNFIT, 0, reason))
        self.item_log.left_out(item, reason)

    def return_to_queue(self, item: Job) -> None:
        """Let an item wait as if it had never been tried."""
        self._write_unasked(item, self.change(item, WorkState.PENDING, 0))

    def with_views_read(self, item: Job, photo: Photo) -> Job:
        """Return what is asked with ``photo``; a view that cannot be read waits by itself."""
        if not isinstance(item, ListingJob) or not item.views:
            return item
        asked, unread = item.with_views_of(photo)
        for view in unread:
            # As one that failed: it goes along with no other, and is told of when its turn comes.
            change = ItemChange(self.campaign_id, view.item_id, WorkState.PENDING, 1, NOT_READ)
            result = Result(None, self.clock.now(), Outcome.UNUSABLE, change=change)
            self.ledger.finish(result).add_done_callback(self._noted)
        self.live.enrolled(len(unread))
        self.views_returned += len(unread)
        return asked

    def tell(self, news: ProjectNews) -> None:
        """Write what was told of a project by more than one request."""
        self.ledger.note(news).add_done_callback(self._noted)

    def _noted(self, written: asyncio.Future[None]) -> None:
        # Where the run is cut off, nobody is left to be told.
        if not written.cancelled() and (error := written.exception()):
            self.lost = error if isinstance(error, Exception) else self.lost
            self.stop.request(str(error))

    def _write_unasked(self, item: Job, change: Change) -> None:
        result = Result(None, self.clock.now(), Outcome.UNUSABLE, change=change)
        self.ledger.finish(result).add_done_callback(partial(self._written, result, item, None))

    def finish(
        self,
        tried: Try,
        outcome: Outcome,
        detail: str,
        *,
        read: Judged | None = None,
        proof: Reply | None = None,
        change: Change | None = None,
        news: Sequence[ProjectNews | KeyRemoval | FormNews | SettingNews] = (),
    ) -> None:
        """Write the result of a request, what it read and what it means for its item and key.

        ``proof`` is a reply that only shows that the service answers.
        """
        reply = proof if read is None else read.reply
        if reply is not None:
            self.model_watch.heard(tried.lease.model, tried.tier, reply)
        result = Result(
            attempt_id=tried.attempt_id,
            started_at=tried.lease.left_late_at,
            finished_at=self.clock.now(),
            outcome=outcome,
            detail=detail,
            tokens=TokenUse() if reply is None else tokens_of(reply),
            reply=None if read is None else read.reply.body,
            change=change,
            verdict=None if read is None else read.judgement.verdict,
            facts=None if read is None else read.judgement.facts,
            model_version="" if reply is None else reply.model,
            model_status=NO_STATUS if reply is None else reply.status,
            tier=tier_paid(tried.tier, reply),
            views=views_of(tried.item),
        )
        written = self.ledger.finish(result, *news)
        written.add_done_callback(partial(self._written, result, tried.item, tried.lease))

    def _written(
        self, result: Result, item: Job, lease: Lease | None, written: asyncio.Future[None]
    ) -> None:
        if written.cancelled():
            return
        try:
            written.result()
            self.live.finished(result, item.listing, lease)
        except Exception as error:  # noqa: BLE001 - nobody waits for this; the run is to tell
            self.lost = error
            self.stop.request(str(error))
