"""Works through a campaign in batch jobs, and fetches what those of earlier runs brought."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from curator.annotators.batch.gemini_batch import GeminiBatch
from curator.campaign.batch.meters import BatchMeters
from curator.campaign.batch.open_jobs import OpenJobs
from curator.campaign.batch.packing import Packing
from curator.campaign.batch.plainer import Plainer
from curator.campaign.batch.sending import Sending, Sent
from curator.campaign.batch.settling import BarrenJobs, RefusedJobs, Settling
from curator.campaign.batch.tidying import Tidying
from curator.campaign.batch.watching import Watching
from curator.campaign.failures.streak import BringsNothing
from curator.campaign.loop import Curator
from curator.campaign.waiting.jobs import Job
from curator.campaign.waiting.photos import PhotoQueue
from curator.campaign.waiting.queue import Queue
from shared.endpoints.keys.key import Key
from shared.endpoints.pool.exhaustion import OnExhausted
from shared.endpoints.protocols.annotator import AskedForm, Connection
from shared.errors import AboVqaError, InputError, StoppedForNow, StoreUnreachable
from shared.program.async_stopping import StopRequested
from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)

_AHEAD: Final = 16
"""Photos that are read before a job takes them."""

Pages = Callable[[], AsyncIterator[Sequence[Job]]]
"""Reads what waits from the beginning."""
Left = Callable[[], Awaitable[int | None]]
"""Tells how many images this run may still put into jobs; ``None`` for all."""


class NoBatchQuota(StoppedForNow):
    """No project may make another batch job now, and none is under way."""


@dataclass(slots=True)
class Batches:
    """The batch jobs of one run."""

    curator: Curator
    on_exhausted: OnExhausted
    jobs: OpenJobs
    meters: BatchMeters
    settling: Settling
    sending: Sending
    watching: Watching
    tidying: Tidying

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        curator: Curator,
        connection: Connection,
        keys: Sequence[Key],
        on_exhausted: OnExhausted,
    ) -> AsyncIterator[Batches]:
        """Take over the jobs that the ledger knows; ``keys`` are all that the run was given."""
        forms: dict[str, AskedForm] = dict(connection.forms)
        async with GeminiBatch.connected(connection) as service:
            jobs, meters = OpenJobs(curator), BatchMeters(curator.pool, curator.clock)
            plainer = Plainer(curator, forms, connection.settings)
            settling = Settling(curator, service, plainer, meters, jobs)
            packing = Packing(curator, forms, connection.settings, settling.parked)
            sending = Sending(curator, service, packing, meters, jobs, settling)
            watching = Watching(curator, service, keys, jobs, settling)
            tidying = Tidying(curator, service, keys)
            batches = cls(curator, on_exhausted, jobs, meters, settling, sending, watching, tidying)
            await batches.take_over()
            yield batches

    async def take_over(self) -> None:
        """Go on with what the ledger knows, and hold its cost."""
        await self.jobs.load()
        for job in self.jobs.due():
            for request in await self.curator.ledger.batches.held(job):
                attempt = request.attempt
                self.curator.budget.hold_begun(attempt.attempt_id, attempt.measure)

    async def fetch(self) -> None:
        """Look once at each job, and settle those that are over.

        That those of earlier runs brought nothing ends no run, but is told.

        Raises:
            AboVqaError: as for ``run``.
        """
        try:
            while self.jobs.due() or not len(self.jobs):
                try:
                    await self._look()
                except (BarrenJobs, RefusedJobs) as end:
                    log.warning("batch_jobs_brought_nothing", reason=str(end))
                else:
                    break
        except StopRequested:
            return
        finally:
            await self.curator.ledger.settled()

    async def _look(self) -> None:
        before = len(self.jobs)
        await self.watching.look()
        if len(self.jobs) < before or not before:
            await self.tidying.tidy()

    async def run(self, pages: Pages, left: Left) -> None:
        """Put what waits into jobs, and settle these, until nothing waits and none is open.

        Raises:
            BudgetSpent: the next request might pass the budget.
            KeysExhausted, NoProjectMayUse: no key is left.
            NoBatchQuota: no job may be made now.
            BringsNothing, InputError, BarrenJobs: nothing comes of what is asked.
            StoreUnreachable: the images cannot be read now.
            ServiceDown: the service has not answered for long.
            LedgerFailure: the ledger cannot be written.
        """
        ended_by: Exception | None = None
        holding = self.curator.holding
        try:
            ended_by = await self._passes(pages, left)
            if ended_by is None and not self.curator.stop.requested:
                ended_by = holding.end()
        except StopRequested:
            pass
        except AboVqaError as end:
            ended_by = end
        if ended_by is not None:
            holding.is_closed = True
        if isinstance(ended_by, (BringsNothing, InputError, StoreUnreachable)):
            holding.return_all()
        await self.tidying.tidy()
        await self.curator.ledger.settled()
        ended_by = self.curator.results.lost or ended_by
        if ended_by is not None:
            raise ended_by

    async def _passes(self, pages: Pages, left: Left) -> AboVqaError | None:
        """Go through the queue as often as images return to it; return what ended the sending."""
        ended_by: AboVqaError | None = None
        while not self.curator.stop.requested:
            self.settling.returned = 0
            queue = Queue(self._unparked(pages()), await left())
            with PhotoQueue(queue, self.curator.images_dir, _AHEAD, self.curator.wanted) as photos:
                ended_by = ended_by or await self._pass(photos, may_send=ended_by is None)
            if not self.settling.returned and not len(self.jobs):
                break
            if ended_by is not None and not len(self.jobs):
                break
        return ended_by

    async def _pass(self, photos: PhotoQueue, *, may_send: bool) -> AboVqaError | None:
        """Make jobs until nothing waits; then wait until something does, or no job is left."""
        ended_by: AboVqaError | None = None
        while not self.curator.stop.requested:
            sent, open_before = Sent.NOTHING_WAITS, len(self.jobs)
            if may_send:
                try:
                    sent = await self.sending.send(photos)
                except AboVqaError as end:
                    if not len(self.jobs):
                        raise
                    # What is under way was paid for, and is worth waiting for.
                    log.warning("no_more_batch_jobs", reason=str(end), open_jobs=len(self.jobs))
                    ended_by, may_send = end, False
            await self._look()
            if sent is Sent.TRIED or (sent is Sent.NO_ROOM and len(self.jobs) < open_before):
                continue
            if sent is Sent.NOTHING_WAITS and (self.settling.returned or not len(self.jobs)):
                break
            await self._wait(sent)
        return ended_by

    async def _wait(self, sent: Sent) -> None:
        """Sleep until a job is due, or one may be made again.

        Raises:
            NoBatchQuota: none may, and none is open.
            StopRequested: the run is to stop.
        """
        ready_s = self.meters.ready_in_s() if sent is Sent.NO_ROOM else math.inf
        if not len(self.jobs) and self.on_exhausted is OnExhausted.STOP:
            told = "; ".join(dict.fromkeys(self.meters.why.values()))
            raise NoBatchQuota(
                f"no project may make another batch job now ({told}); run the same command again "
                "later, or ask at once with --tier standard"
            )
        wait_s = min(ready_s, self.jobs.due_in_s())
        await self.curator.stop.sleep(self.curator.clock, wait_s)

    async def _unparked(self, pages: AsyncIterator[Sequence[Job]]) -> AsyncIterator[Sequence[Job]]:
        async for page in pages:
            if wanted := [job for job in page if job.key not in self.settling.parked]:
                yield wanted
