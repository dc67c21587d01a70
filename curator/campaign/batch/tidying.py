"""Deletes at the service what batch jobs leave there, once they are settled.

A file that stays is counted, and tried again by a later run; in time, Google deletes it by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from curator.annotators.batch.gemini_batch import GeminiBatch
from curator.campaign.loop import Curator
from curator.ledger import BatchJob
from shared.endpoints.keys.key import Key
from shared.endpoints.refusals.refusal import Refusal
from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)


@dataclass(slots=True)
class Tidying:
    """Deletes files with the ``keys`` that the run was given."""

    curator: Curator
    service: GeminiBatch
    keys: Sequence[Key]
    _tried: set[int] = field(default_factory=set)

    async def tidy(self) -> None:
        """Delete the files of settled jobs; each is tried once a run."""
        batches = self.curator.ledger.batches
        for job in await batches.with_files(self.curator.campaign_id):
            if self.curator.stop.requested:
                return
            key = next((key for key in self.keys if _may_tidy(key, job)), None)
            if key is not None and job.job_id not in self._tried:
                self._tried.add(job.job_id)
                await self._delete_files(job, key)
        self.curator.live.batches = await batches.counts(self.curator.campaign_id)

    async def _delete_files(self, job: BatchJob, key: Key) -> None:
        left = {"results_file": job.results_file, "file_name": job.file_name}
        for place, name in left.items():
            try:
                if name:
                    await self.service.delete_file(key, name)
                    left[place] = ""
            except Refusal as refusal:
                log.info("batch_file_left", job=job.job_name, file=name, reason=refusal.reason)
        await self.curator.ledger.batches.put(
            replace(job, results_file=left["results_file"], file_name=left["file_name"])
        )


def _may_tidy(key: Key, job: BatchJob) -> bool:
    return key.project == job.project and key.account is None
