"""Batch jobs in the open ledger: one method, one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from curator.ledger.open_file import OpenFile
from curator.ledger.queue.batches import held_requests
from curator.ledger.records.batches import BatchCounts, BatchJob, BatchRequest, HeldRequest
from curator.ledger.records.requests import Attempt, Withdrawal
from curator.ledger.reports.batches import (
    batch_counts,
    jobs_with_files,
    last_job_id,
    unsettled_jobs,
)


class BatchBook:
    """The batch jobs of an open ledger."""

    def __init__(self, file: OpenFile, next_job_id: int) -> None:
        self._file = file
        self._next_job_id = next_job_id

    @classmethod
    async def of(cls, file: OpenFile) -> BatchBook:
        """Return the jobs of the ledger in ``file``."""
        return cls(file, await file.told(last_job_id) + 1)

    def new_job_id(self) -> int:
        """Return a number that no job in this ledger has."""
        self._next_job_id += 1
        return self._next_job_id - 1

    async def begin(
        self, job: BatchJob, attempts: Sequence[Attempt], requests: Sequence[BatchRequest]
    ) -> None:
        """Make a job durable with all that it holds; only then may it be uploaded."""
        await self._file.add(job, *attempts, *requests)

    async def put(self, job: BatchJob) -> None:
        """Write how a job stands."""
        await self._file.add(job)

    async def withdraw(self, job: BatchJob, attempt_ids: Sequence[int]) -> None:
        """Write how a job ended of which nothing was asked; its requests were never made."""
        await self._file.add(job, *map(Withdrawal, attempt_ids))

    async def unsettled(self, campaign_id: int) -> list[BatchJob]:
        """Return the jobs that are not over, or whose results were not all taken; oldest first."""
        return await self._file.told(unsettled_jobs, campaign_id)

    async def with_files(self, campaign_id: int) -> list[BatchJob]:
        """Return the settled jobs that have files at the service yet."""
        return await self._file.told(jobs_with_files, campaign_id)

    async def held(self, job: BatchJob) -> list[HeldRequest]:
        """Return what a job holds, by attempt."""
        return await self._file.told(held_requests, job.job_id)

    async def counts(self, campaign_id: int) -> BatchCounts:
        """Count a campaign's jobs by state, with the requests that they hold."""
        return await self._file.told(batch_counts, campaign_id)
