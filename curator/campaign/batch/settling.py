"""What follows from a batch job: each result for its image, what is missing for the job.

Images of which nothing came return to the queue; so often, until they are given up like others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from curator.annotators.batch.gemini_batch import GeminiBatch, NoSuchJob
from curator.annotators.batch.job_state import JobState
from curator.annotators.batch.lines import result_lines
from curator.annotators.batch.matching import Matched, matched
from curator.annotators.batch.operations import Operation
from curator.campaign.batch.leases import job_lease
from curator.campaign.batch.meters import BatchMeters
from curator.campaign.batch.open_jobs import OpenJobs
from curator.campaign.batch.pace import MOST_BARREN, WAITED_FOR_S
from curator.campaign.batch.plainer import Plainer
from curator.campaign.consequences import Again
from curator.campaign.failures.streak import BringsNothing, Failure
from curator.campaign.loop import Curator
from curator.campaign.results import Try
from curator.campaign.waiting.jobs import Job, ListingJob, OpinionJob
from curator.ledger import BatchJob, HeldRequest, Outcome, WorkItem
from shared.endpoints.keys.key import Key
from shared.endpoints.models.asked_settings import AskedSettings
from shared.endpoints.models.tier import Tier
from shared.endpoints.pool.records import Meter
from shared.endpoints.refusals.refusal import BadRequest, Refusal
from shared.errors import AboVqaError, InputError, StoppedForNow
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.secret_mask import SecretMask

log = EventLog(__name__)

NAMES_NOBODY: Final = "the reply names no image of its batch job"
_UNWANTED: Final = "nobody asks this any more"
_WHY: Final = {
    JobState.SUCCEEDED: "its batch job brought no result for it",
    JobState.FAILED: "its batch job failed",
    JobState.EXPIRED: "its batch job expired",
    JobState.CANCELLED: "its batch job was cancelled",
    JobState.LOST: "its batch job was lost",
    JobState.REFUSED: "its batch file was refused",
}


class BarrenJobs(StoppedForNow):
    """Several jobs in a row brought not one reply."""


class RefusedJobs(InputError):
    """The service would not take what several jobs in a row asked."""


@dataclass(slots=True)
class Settling:
    """Draws what follows from the jobs of a run.

    ``parked`` are the keys of items that this run asks about no more, until others show whose fault
    their failures are. ``returned`` counts the items that wait again.
    """

    curator: Curator
    service: GeminiBatch
    plainer: Plainer
    meters: BatchMeters
    jobs: OpenJobs
    parked: set[object] = field(default_factory=set)
    returned: int = 0
    _barren: list[Job] = field(default_factory=list)
    _barren_jobs: int = 0

    async def settle(self, job: BatchJob, operation: Operation, key: Key) -> None:
        """Give each image of a job that is over its result.

        Raises:
            Unavailable: the results did not come; they are to be fetched again.
            BringsNothing, InputError: nothing comes of any request.
            BarrenJobs: nothing comes of any job.
        """
        refusal = operation.refusal
        job = await self.jobs.put(
            replace(
                job,
                state=operation.state,
                results_file=operation.results_file,
                error=refusal.reason if refusal else "",
            )
        )
        held = await self.curator.ledger.batches.held(job)
        content = await self._content(job, key)
        own_ids = {str(request.attempt.attempt_id): request.own_id for request in held}
        found = matched(result_lines(content, SecretMask([key.secret])), own_ids)
        await self._end(job, held, found, key, refusal)

    async def _content(self, job: BatchJob, key: Key) -> bytes:
        if not job.results_file:
            return b""
        try:
            return await self.service.results(key, job.results_file)
        except NoSuchJob:
            return b""

    async def file_refused(self, job: BatchJob, key: Key, refusal: Refusal) -> None:
        """Count that the service would not take a job's file.

        Raises:
            InputError: it takes none.
        """
        job = await self.jobs.put(replace(job, state=JobState.REFUSED, error=refusal.reason))
        await self._end_empty(job, key, refusal)

    async def lost(self, job: BatchJob, key: Key, why: str) -> None:
        """Count that nobody can tell what became of a job.

        Raises:
            BarrenJobs: nothing comes of any job.
        """
        job = await self.jobs.put(replace(job, state=JobState.LOST, error=why))
        await self._end_empty(job, key, None)

    async def _end_empty(self, job: BatchJob, key: Key, refusal: Refusal | None) -> None:
        held = await self.curator.ledger.batches.held(job)
        missing = [str(request.attempt.attempt_id) for request in held]
        await self._end(job, held, Matched(missing=missing), key, refusal)

    async def take_back(self, job: BatchJob, key: Key, why: str) -> None:
        """Forget the requests of a job that never came to the service."""
        curator, now = self.curator, self.curator.clock.now()
        held = await curator.ledger.batches.held(job)
        job = replace(job, state=JobState.REFUSED, error=why, updated_at=now, ended_at=now)
        ids = [request.attempt.attempt_id for request in held]
        await curator.ledger.batches.withdraw(job, ids)
        for request in held:
            curator.live.taken_back(job_lease(key, job, request.attempt))
            curator.budget.release(request.attempt.attempt_id)
        self.returned += len(held)
        await self.jobs.drop(job)

    async def leave_in_peace(self, refusal: Refusal) -> None:
        """Wait a while for a service that does not answer.

        Raises:
            ServiceDown: it has not answered for long.
            StopRequested: the run is to stop.
        """
        curator, now = self.curator, self.curator.clock.now()
        curator.outage.unreached(refusal.reason, now)
        if curator.outage.in_a_row == 1:
            again = "until it answers"
            log.warning("service_unavailable", reason=refusal.reason, tried_again=again)
        curator.outage.require_end(now)
        await curator.stop.sleep(curator.clock, curator.outage.pause_s(now, curator.rng))

    async def _end(
        self,
        job: BatchJob,
        held: Sequence[HeldRequest],
        found: Matched,
        key: Key,
        refusal: Refusal | None,
    ) -> None:
        """Write what came of each request, then how the job ended."""
        end: AboVqaError | None = None
        # Replies first: one that can be used shows that the fault of others is their own.
        for request in sorted(held, key=lambda each: _name(each) not in found.replies):
            try:
                self._settle_one(job, request, found, key)
            except (BringsNothing, InputError) as told:
                end = end or told
        await self.curator.ledger.settled()
        answered, now = job.answered + len(found.replies), self.curator.clock.now()
        job = await self.jobs.put(replace(job, answered=answered, ended_at=job.ended_at or now))
        await self.jobs.drop(job)
        self.meters.job_ended(Meter(job.project, job.model))
        _tell(job, found)
        end = end or self._barren_end(job, held, found, refusal)
        if end is not None:
            raise end

    def _settle_one(self, job: BatchJob, request: HeldRequest, found: Matched, key: Key) -> None:
        curator, name, attempt = self.curator, _name(request), request.attempt
        item = asked_item(request)
        tried = Try(item, job_lease(key, job, attempt), attempt.attempt_id, Tier.BATCH)
        reply = found.replies.get(name) or found.nameless.get(name)
        curator.budget.release(attempt.attempt_id)
        if reply is not None:
            curator.budget.spend(attempt, reply)
            curator.learn(attempt, reply)
        if not request.is_wanted:
            curator.results.finish(tried, Outcome.UNUSABLE, _UNWANTED, proof=reply)
            return
        again = self._consequence(job, tried, name, found, attempt.settings)
        waiting = {item.key} if isinstance(again, Again) else {each.key for each in again}
        self.parked.add(item.key)
        self.parked -= waiting
        self.returned += len(waiting)

    def _consequence(
        self, job: BatchJob, tried: Try, name: str, found: Matched, asked: AskedSettings
    ) -> Sequence[Job] | Again:
        """Write what came of a request; return what is to be asked about again."""
        then, told = self.curator.then, found.refusals.get(name)
        if name in found.replies:
            return then.take_reply(tried, None, found.replies[name])
        if name in found.nameless:
            reply = found.nameless[name]
            failure = Failure(NAMES_NOBODY, reply.text or reply.body)
            return then.take_nothing(tried, Outcome.UNUSABLE, failure, reply)
        refusal = self.plainer.heed(job, tried, told, asked)
        if told is not None and refusal is None:
            return Again.AT_ONCE
        if isinstance(refusal, BadRequest):
            return then.refuse(tried, refusal)
        if refusal is None and job.state is JobState.CANCELLED and not self._is_overdue(job):
            return self._cancelled(tried)
        why = _why(job) if refusal is None else refusal.reason
        return then.take_nothing(tried, Outcome.UNAVAILABLE, Failure(why))

    def _is_overdue(self, job: BatchJob) -> bool:
        """Return whether it was us who ended a job."""
        return self.curator.clock.now() - job.created_at >= WAITED_FOR_S

    def _cancelled(self, tried: Try) -> Sequence[Job]:
        """Return an item to the queue that is not to blame: a person ended its job."""
        results, item = self.curator.results, tried.item
        change = results.waits(item, item.attempts, _WHY[JobState.CANCELLED])
        results.finish(tried, Outcome.UNAVAILABLE, _WHY[JobState.CANCELLED], change=change)
        return [item]

    def _barren_end(
        self,
        job: BatchJob,
        held: Sequence[HeldRequest],
        found: Matched,
        refusal: Refusal | None,
    ) -> AboVqaError | None:
        """Return what ends the run where several jobs in a row brought nothing at all."""
        if found.replies or found.nameless or found.refusals:
            self._barren.clear()
            self._barren_jobs = 0
            return None
        if not held:
            return None
        self._barren += map(asked_item, held)
        self._barren_jobs += 1
        if self._barren_jobs < MOST_BARREN:
            return None
        for item in self._barren:
            self.curator.results.return_to_queue(item)
        told = f"{self._barren_jobs} batch jobs in a row brought nothing, the last: {_why(job)}"
        if isinstance(refusal, BadRequest):
            return RefusedJobs(
                f"{told}. Nothing was given up for it: ask for what the service takes (--model, "
                "--questions), or at once with --tier standard"
            )
        return BarrenJobs(
            f"{told}. Nothing was given up for it: run the same command again to go on, or ask at "
            "once with --tier standard"
        )


def asked_item(request: HeldRequest) -> Job:
    """Return what a held request is about, as a job for the run."""
    about = request.about
    if isinstance(about, WorkItem):
        return ListingJob(about.item_id, about.listing, about.attempts, about.rank, about.views)
    return OpinionJob(
        about.item_id,
        about.listing,
        about.attempts,
        about.question,
        about.answer,
        about.answered_by,
    )


def _name(request: HeldRequest) -> str:
    return str(request.attempt.attempt_id)


def _why(job: BatchJob) -> str:
    return f"{_WHY[job.state]}: {job.error}" if job.error else _WHY[job.state]


def _tell(job: BatchJob, found: Matched) -> None:
    counts = {
        "put_right": found.put_right,
        "named_nobody": len(found.nameless),
        "refused": len(found.refusals),
        "missing": len(found.missing),
        "surplus": found.surplus,
    }
    told = {name: count for name, count in counts.items() if count}
    log.info(
        "batch_job_over",
        job=job.job_name or job.display_name,
        state=job.state.value,
        images=job.requests,
        replies=len(found.replies),
        **told,
        **({"reason": job.error} if job.error else {}),
    )
