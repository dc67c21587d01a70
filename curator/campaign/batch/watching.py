"""Looks at batch jobs until they are over: for hours or days, over as many runs as that takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from curator.annotators.batch.gemini_batch import GeminiBatch, NoSuchJob
from curator.annotators.batch.job_state import JobState
from curator.annotators.batch.operations import Operation
from curator.campaign.batch.open_jobs import OpenJobs
from curator.campaign.batch.pace import DOUBT_S, RESULTS_S, WAITED_FOR_S
from curator.campaign.batch.settling import Settling
from curator.campaign.loop import Curator
from curator.ledger import BatchJob
from shared.endpoints.keys.key import Key
from shared.endpoints.refusals.refusal import (
    InvalidKey,
    ProjectRefused,
    RateLimited,
    Refusal,
    Unavailable,
)
from shared.program.durations import DAY_S, local_time
from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)


class _OutOfReach(Exception):
    """A key cannot look at a job, for good."""


@dataclass(slots=True)
class Watching:
    """Looks at the jobs of a run; ``keys`` are all that it was given."""

    curator: Curator
    service: GeminiBatch
    keys: Sequence[Key]
    jobs: OpenJobs
    settling: Settling
    _told: set[object] = field(default_factory=set)

    async def look(self) -> None:
        """Look at the jobs that are due; settle those that are over.

        Raises:
            BringsNothing, InputError, BarrenJobs: nothing comes of what is asked.
            ServiceDown: the service has not answered for long.
            StopRequested: the run is to stop.
        """
        for job in self.jobs.due():
            if self.curator.stop.requested:
                return
            await self._look_at(job)

    async def _look_at(self, job: BatchJob) -> None:
        self.jobs.look_later(job)
        reason = "no key of its project is given"
        for key in self._keys_of(job):
            try:
                await self._look_with(job, key)
            except _OutOfReach as out:
                reason = str(out)
                continue
            except RateLimited as refusal:
                log.warning("batch_looks_refused", reason=refusal.reason)
            except Unavailable as refusal:
                await self.settling.leave_in_peace(refusal)
            return
        await self._out_of_reach(job, reason)

    def _keys_of(self, job: BatchJob) -> list[Key]:
        """Return the keys that see a job, the one that made it first."""
        keys = [key for key in self.keys if key.project == job.project and key.account is None]
        own = [key for key in self.keys if key.fingerprint == job.key_fingerprint]
        return list(dict.fromkeys([*own, *keys]))

    async def _look_with(self, job: BatchJob, key: Key) -> None:
        try:
            if not job.job_name:
                found = await self._found(job, key)
                if found is None:
                    return
                job = found
            operation = await self.service.look(key, job.job_name)
        except NoSuchJob as refusal:
            await self.settling.lost(job, key, refusal.reason)
            return
        except (InvalidKey, ProjectRefused) as refusal:
            raise _OutOfReach(refusal.reason) from None
        self.curator.outage.is_back()
        if operation.unknown_state:
            self._tell_once(operation.unknown_state, job)
        if operation.state.is_over:
            if not await self._lacks_results(job, operation):
                await self.settling.settle(job, operation, key)
            return
        if operation.state is not job.state:
            job = await self.jobs.put(replace(job, state=operation.state))
        await self._end_overdue(job, key)

    async def _lacks_results(self, job: BatchJob, operation: Operation) -> bool:
        """Return whether a job has succeeded and its results may still come."""
        if operation.state is not JobState.SUCCEEDED or operation.results_file:
            return False
        now = self.curator.clock.now()
        if job.ended_at is None:
            job = await self.jobs.put(replace(job, state=operation.state, ended_at=now))
        return now - (job.ended_at or now) < RESULTS_S

    async def _found(self, job: BatchJob, key: Key) -> BatchJob | None:
        """Return a job that may have been made, with its name; ``None`` where it is not there."""
        name = await self.service.find(key, job.display_name)
        if name:
            return await self.jobs.put(replace(job, state=JobState.WAITING, job_name=name))
        if self.curator.clock.now() - job.updated_at >= DOUBT_S:
            file_name = job.file_name or await self.service.find_file(key, job.display_name)
            job = replace(job, file_name=file_name)
            await self.settling.take_back(job, key, "it never came to the service")
        return None

    async def _end_overdue(self, job: BatchJob, key: Key) -> None:
        """End a job that takes longer than anybody waits."""
        age_s = self.curator.clock.now() - job.created_at
        if age_s < WAITED_FOR_S:
            return
        log.warning("batch_job_overdue", job=job.job_name, made=local_time(job.created_at))
        try:
            await self.service.cancel(key, job.job_name)
        except Unavailable:
            raise
        except Refusal as refusal:
            log.warning("batch_job_not_cancelled", job=job.job_name, reason=refusal.reason)
        if age_s >= WAITED_FOR_S + DAY_S:
            await self.settling.lost(job, key, "it was not over in days, nor when it was cancelled")

    async def _out_of_reach(self, job: BatchJob, reason: str) -> None:
        """Tell of a job that no key can look at; give it up once it must be over."""
        gives_up_at = job.created_at + WAITED_FOR_S
        if self.curator.clock.now() >= gives_up_at:
            key = next(iter(self.keys))
            await self.settling.lost(job, key, reason)
            return
        if job.project not in self._told:
            self._told.add(job.project)
            log.warning(
                "batch_job_out_of_reach",
                project=job.project,
                job=job.job_name or job.display_name,
                images=job.requests,
                reason=reason,
                way_out="put a key that serves of that project into the keys file; "
                f"else its images are asked about again from {local_time(gives_up_at)} on",
            )

    def _tell_once(self, state: str, job: BatchJob) -> None:
        if state not in self._told:
            self._told.add(state)
            log.warning("batch_state_unknown", state=state, job=job.job_name, taken_for="running")
