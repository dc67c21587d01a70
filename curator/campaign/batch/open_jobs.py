"""The batch jobs of a run that are not settled, and when each is looked at next."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace

from curator.campaign.batch.pace import next_look_s
from curator.campaign.loop import Curator
from curator.ledger import BatchJob
from shared.endpoints.pool.records import Meter


@dataclass(slots=True)
class OpenJobs:
    """As the ledger has them; every change goes through here."""

    curator: Curator
    _jobs: dict[int, BatchJob] = field(default_factory=dict)
    _due_at: dict[int, float] = field(default_factory=dict)

    async def load(self) -> None:
        """Take over what the ledger remembers; all of it is to be looked at now."""
        jobs = await self.curator.ledger.batches.unsettled(self.curator.campaign_id)
        self._jobs = {job.job_id: job for job in jobs}
        self._due_at = {job.job_id: -math.inf for job in jobs}

    def __len__(self) -> int:
        return len(self._jobs)

    def by_meter(self) -> Counter[Meter]:
        """Count the jobs by project and model."""
        return Counter(Meter(job.project, job.model) for job in self._jobs.values())

    async def put(self, job: BatchJob) -> BatchJob:
        """Write how a job stands."""
        job = replace(job, updated_at=self.curator.clock.now())
        await self.curator.ledger.batches.put(job)
        await self.keep(job)
        return job

    async def keep(self, job: BatchJob) -> None:
        """Heed a job that the ledger has."""
        self._jobs[job.job_id] = job
        self.look_later(job)
        await self._tell()

    async def drop(self, job: BatchJob) -> None:
        """Look at a job no more: it is settled."""
        self._jobs.pop(job.job_id, None)
        self._due_at.pop(job.job_id, None)
        await self._tell()

    def due(self) -> list[BatchJob]:
        """Return the jobs that are to be looked at now, oldest first."""
        now = self.curator.clock.now()
        return [job for job in self._jobs.values() if self._due_at[job.job_id] <= now]

    def due_in_s(self) -> float:
        """Return seconds until the next look; infinite where there is no job."""
        return min(self._due_at.values(), default=math.inf) - self.curator.clock.now()

    def look_later(self, job: BatchJob) -> None:
        """Leave a job in peace for a while: the longer, the older it is."""
        now = self.curator.clock.now()
        self._due_at[job.job_id] = now + next_look_s(now - job.created_at)

    async def _tell(self) -> None:
        live, batches = self.curator.live, self.curator.ledger.batches
        live.batches = await batches.counts(self.curator.campaign_id)
