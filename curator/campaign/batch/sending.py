"""Makes batch jobs: durable first, then uploaded, then begun at the service.

A job that the service did not take asked nothing: its requests are taken back. Where it is not
known whether it took it, the job stays, and whoever watches jobs looks for it by its name.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from enum import Enum, auto

from curator.annotators.batch.gemini_batch import GeminiBatch
from curator.campaign.batch.leases import job_lease
from curator.campaign.batch.meters import BatchMeters
from curator.campaign.batch.open_jobs import OpenJobs
from curator.campaign.batch.packing import Pack, Packing
from curator.campaign.batch.settling import Settling
from curator.campaign.loop import Curator
from curator.campaign.waiting.photos import PhotoQueue
from curator.ledger import BatchJob
from shared.endpoints.keys.key import Key
from shared.endpoints.pool.records import Meter
from shared.endpoints.refusals.refusal import (
    InvalidKey,
    ModelRefused,
    ProjectRefused,
    RateLimited,
    Refusal,
    TierRefused,
    Unavailable,
    Unreachable,
    WrongAddress,
)
from shared.errors import InputError
from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)


class Sent(Enum):
    """What came of the turn to make a job."""

    TRIED = auto()
    NOTHING_WAITS = auto()
    NO_ROOM = auto()
    """All projects rest, or the budget has no room until jobs are over."""


@dataclass(slots=True)
class Sending:
    """Makes jobs of what waits."""

    curator: Curator
    service: GeminiBatch
    packing: Packing
    meters: BatchMeters
    jobs: OpenJobs
    settling: Settling

    async def send(self, queue: PhotoQueue) -> Sent:
        """Make the next job, where something waits and somebody may ask it.

        Raises:
            BudgetSpent: the next request might pass the budget.
            KeysExhausted, NoProjectMayUse: no key is left.
            InputError: nobody takes such jobs, or the photos cannot be read.
            StoreUnreachable: the photos cannot be read now.
            ServiceDown: the service has not answered for long.
            StopRequested: the run is to stop.
        """
        first = await self.packing.first(queue)
        if first is None:
            return Sent.NOTHING_WAITS
        turn = self.meters.next_turn(first[0].answered_by, self.jobs.by_meter())
        if turn is None:
            self.packing.put_back(*first)
            return Sent.NO_ROOM
        key, model = turn
        job_id = self.curator.ledger.batches.new_job_id()
        most = self.meters.most_images(Meter(key.project, model))
        pack = await self.packing.fill(queue, first, key=key, model=model, job_id=job_id, most=most)
        if not pack.requests:
            return Sent.NO_ROOM
        if not self.curator.stop.requested:
            await self._make(await self._begin(job_id, pack), pack)
        return Sent.TRIED

    async def _begin(self, job_id: int, pack: Pack) -> BatchJob:
        curator, now = self.curator, self.curator.clock.now()
        job = BatchJob(
            job_id=job_id,
            campaign_id=curator.campaign_id,
            display_name=f"abo-vqa-{secrets.token_hex(8)}-{job_id}",
            key_fingerprint=pack.key.fingerprint,
            project=pack.key.project,
            model=pack.model,
            requests=len(pack.requests),
            created_at=now,
            updated_at=now,
        )
        await curator.ledger.batches.begin(
            job,
            [packed.attempt for packed in pack.requests],
            [packed.request for packed in pack.requests],
        )
        for packed in pack.requests:
            curator.live.begun(job_lease(pack.key, job, packed.attempt))
        await self.jobs.keep(job)
        return job

    async def _make(self, job: BatchJob, pack: Pack) -> None:
        key = pack.key
        try:
            file_name = await self.service.upload(key, pack.content, job.display_name)
        except Unreachable as refusal:
            await self._not_made(job, key, refusal)
            return
        except Unavailable as refusal:
            # A part of it may be there, or all: what lies there is to be deleted.
            try:
                left = await self.service.find_file(key, job.display_name)
            except Refusal:
                self._leave_in_doubt(job, refusal)
                await self.settling.leave_in_peace(refusal)
                return
            await self._not_made(replace(job, file_name=left), key, refusal)
            return
        except Refusal as refusal:
            await self._not_made(job, key, refusal)
            return
        job = await self.jobs.put(replace(job, file_name=file_name))
        try:
            made = await self.service.create(key, job.model, file_name, job.display_name)
        except Unreachable as refusal:
            await self._not_made(job, key, refusal)
        except Unavailable as refusal:
            self._leave_in_doubt(job, refusal)
        except Refusal as refusal:
            await self._not_made(job, key, refusal)
        else:
            self.curator.outage.is_back()
            await self.jobs.put(replace(job, state=made.state, job_name=made.name))
            log.info(
                "batch_job_made",
                job=made.name,
                model=job.model,
                key=key.label,
                images=job.requests,
            )

    def _leave_in_doubt(self, job: BatchJob, refusal: Refusal) -> None:
        """Let whoever watches jobs find out what is there of a job."""
        log.warning("batch_job_in_doubt", job=job.display_name, reason=refusal.reason)
        self.jobs.look_later(job)

    async def _not_made(self, job: BatchJob, key: Key, refusal: Refusal) -> None:
        """Take back what was never asked, and heed why.

        Raises:
            InputError: nobody takes such jobs.
            ServiceDown: the service has not answered for long.
            StopRequested: the run is to stop.
        """
        curator, meter = self.curator, Meter(job.project, job.model)
        if isinstance(refusal, RateLimited):
            # The job itself is among the open ones.
            are_open = self.jobs.by_meter()[meter] > 1
            if are_open or not self.meters.make_smaller(meter, job.requests, refusal):
                self.meters.rest(meter, refusal, others_are_open=are_open)
        elif isinstance(refusal, InvalidKey):
            await curator.ledger.remember(curator.then.serving.removal(key, refusal))
        elif isinstance(refusal, TierRefused):
            await self.settling.take_back(job, key, refusal.reason)
            self._leave_model(job, refusal)
            return
        elif isinstance(refusal, ProjectRefused):
            # For this run: another tier may be served there all the same.
            curator.pool.close(job_lease(key, job), refusal)
        elif not isinstance(refusal, (Unavailable, WrongAddress)):
            await self.settling.file_refused(job, key, refusal)
            return
        await self.settling.take_back(job, key, refusal.reason)
        if isinstance(refusal, WrongAddress) and not curator.outage.has_answered:
            raise InputError(f"{refusal.reason}; look at --endpoint")
        if isinstance(refusal, (Unavailable, WrongAddress)):
            await self.settling.leave_in_peace(refusal)

    def _leave_model(self, job: BatchJob, refusal: TierRefused) -> None:
        model, pool = job.model, self.curator.pool
        if not pool.others_serve(model):
            raise InputError(
                f"{model} takes no batch jobs ({refusal.reason}); give another --model, or another "
                "--tier"
            )
        log.warning("model_lacks_tier", model=model, tier="batch", why=refusal.reason)
        pool.close_model(model, ModelRefused(f"not served at --tier batch: {refusal.reason}"))
