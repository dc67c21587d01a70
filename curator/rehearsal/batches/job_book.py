"""The jobs of all projects: which may be made, where each stands, and what it has come to.

Time passes when somebody asks: a job whose time is over is answered before anything is told of it.
"""

from __future__ import annotations

import asyncio
import random
import string
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from curator.rehearsal.answers.replying import Ruling
from curator.rehearsal.batches.file_shelf import FileShelf
from curator.rehearsal.batches.job import Job, JobState, Row, Times
from curator.rehearsal.batches.job_input import LINES_TYPES, BatchRequest, NewJob, read_lines
from curator.rehearsal.batches.job_results import JobResults
from curator.rehearsal.batches.mishaps import JobLife, JobMishap
from curator.rehearsal.faults import FaultPlan
from curator.rehearsal.inbound import Inquiry, MalformedRequest, inquiry_of
from curator.rehearsal.judge import Judge
from curator.rehearsal.quota_book import ProjectLimits
from curator.rehearsal.words.job_refusals import over_already, unknown_entity
from curator.rehearsal.words.replies import WireReply, bad_request, over_unsaid_quota, overloaded
from shared.program.clock import Clock

_LETTERS: Final = string.ascii_lowercase + string.digits
_ID_LENGTH: Final = 36


class JobBook:
    """Makes jobs, and brings them to their end."""

    def __init__(
        self,
        *,
        judge: Judge,
        files: FileShelf,
        results: JobResults,
        mishaps: FaultPlan[JobMishap],
        life: JobLife,
        die: random.Random,
        clock: Clock,
    ) -> None:
        """Let jobs take requests that ``judge`` understands, and live as ``life`` says."""
        self._judge = judge
        self._files = files
        self._results = results
        self._mishaps = mishaps
        self._life = life
        self._die = die
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._settling = asyncio.Lock()
        self._refused: Counter[str] = Counter()

    async def create(
        self, project: str, limits: ProjectLimits, model: str, new: NewJob
    ) -> Job | WireReply:
        """Make a job, or say why not."""
        requests: tuple[BatchRequest, ...] | WireReply = new.requests
        try:
            if new.file_name:
                requests = await asyncio.to_thread(self._requests_in, project, new.file_name)
        except MalformedRequest as error:
            self._refused["malformed"] += 1
            return bad_request(str(error))
        if isinstance(requests, WireReply):
            self._refused["no_such_file"] += 1
            return requests
        rows = await asyncio.to_thread(self._rows, requests, model)
        tokens = sum(row.asks.prompt_tokens for row in rows if isinstance(row.asks, Inquiry))
        if self._is_over_quota(project, limits, model, tokens):
            self._refused["over_quota"] += 1
            return over_unsaid_quota()
        mishap = self._mishaps.next()
        if mishap is JobMishap.CREATE_REFUSED:
            self._refused[mishap] += 1
            return overloaded()
        name = f"batches/{''.join(self._die.choices(_LETTERS, k=_ID_LENGTH))}"
        job = Job(
            name=name,
            number=len(self._jobs),
            project=project,
            model=model,
            display_name=new.display_name,
            input_file=new.file_name,
            priority=new.priority,
            requests=len(rows),
            tokens=tokens,
            rows=rows,
            mishap=mishap,
            times=self._times(mishap),
        )
        self._jobs[name] = job
        return job

    def _requests_in(self, project: str, name: str) -> tuple[BatchRequest, ...] | WireReply:
        file = self._files.find(project, name, self._clock.now())
        if isinstance(file, WireReply):
            return file
        if file.mime_type.partition(";")[0].strip().lower() not in LINES_TYPES:
            raise MalformedRequest(
                f"Unsupported MIME type of the input file: {file.mime_type}. It must be JSONL."
            )
        return read_lines(file.content)

    def _rows(self, requests: Iterable[BatchRequest], model: str) -> tuple[Row, ...]:
        return tuple(self._row(request, model) for request in requests)

    def _row(self, request: BatchRequest, model: str) -> Row:
        try:
            understood = self._judge.understood(inquiry_of(request.request), model)
        except MalformedRequest as error:
            return Row(request.key, request.metadata, bad_request(str(error)))
        asks = understood.reply if isinstance(understood, Ruling) else understood
        return Row(request.key, request.metadata, asks)

    def _times(self, mishap: JobMishap | None) -> Times:
        now, life = self._clock.now(), self._life
        starts_at = now + life.pending_s
        ends_at = starts_at + life.running_s + life.late_s * (mishap is JobMishap.LATE)
        ends_as = _ENDS.get(mishap, JobState.SUCCEEDED)
        if ends_at - now > life.expires_s:
            ends_at, ends_as = now + life.expires_s, JobState.EXPIRED
        output_s = life.output_late_s * (mishap is JobMishap.OUTPUT_LATE)
        return Times(now, starts_at, ends_at, ends_as, output_at=ends_at + output_s)

    def _is_over_quota(self, project: str, limits: ProjectLimits, model: str, tokens: int) -> bool:
        now = self._clock.now()
        under_way = [
            job for job in self._jobs.values() if job.project == project and not job.is_over(now)
        ]
        if limits.batch_jobs is not None and len(under_way) >= limits.batch_jobs:
            return True
        enqueued = sum(job.tokens for job in under_way if job.model == model)
        return limits.batch_tokens is not None and enqueued + tokens > limits.batch_tokens

    def find(self, project: str, name: str) -> Job | WireReply:
        """Return a job, or what a project is told that is not shown it."""
        job = self._jobs.get(name)
        return unknown_entity() if job is None or not self._is_shown(job, project) else job

    def of(self, project: str) -> list[Job]:
        """Return the jobs of a project, the newest first."""
        shown = [job for job in self._jobs.values() if self._is_shown(job, project)]
        return shown[::-1]

    def _is_shown(self, job: Job, project: str) -> bool:
        is_gone = job.mishap is JobMishap.GONE and job.is_over(self._clock.now())
        return job.project == project and not job.is_deleted and not is_gone

    def cancel(self, job: Job) -> WireReply | None:
        """Cancel a job; return what is told where it has ended."""
        now = self._clock.now()
        if job.is_over(now):
            return over_already(job.name)
        ends_at = now + self._life.cancelling_s
        # A job that is done before that has won the race, and is not cancelled.
        if job.cancelled_at is None and ends_at < job.times.ends_at:
            job.cancelled_at = ends_at
        return None

    async def settle(self) -> None:
        """Answer what should have been answered by now."""
        async with self._settling:
            for job in list(self._jobs.values()):
                now = self._clock.now()
                if job.rows and job.has_results(now):
                    await self._finish(job)
                if job.is_over(now):
                    # Images of thousands of requests would stay in memory.
                    job.rows = ()

    async def _finish(self, job: Job) -> None:
        told, lines = self._results.written(job, await self._results.answer(job, job.times.ends_at))
        if job.input_file and job.mishap not in (JobMishap.EMPTY, JobMishap.GONE):
            told = replace(
                told, file_name=self._files.write(job.project, lines, job.times.ends_at).name
            )
        job.results = told

    def report(self) -> dict[str, Any]:
        """Return how many jobs there are by state, and their requests by what came of them."""
        now = self._clock.now()
        states = Counter(
            job.state(now).removeprefix("BATCH_STATE_").lower() for job in self._jobs.values()
        )
        return {
            "jobs": dict(sorted(states.items())),
            "refused": dict(sorted(self._refused.items())),
            "requests": dict(sorted(self._results.outcomes.items())),
            "requests_sent": sum(job.requests for job in self._jobs.values()),
            "files": self._files.count(now),
        }


_ENDS: Final[Mapping[JobMishap | None, JobState]] = {
    JobMishap.PARTLY: JobState.PARTIALLY_SUCCEEDED,
    JobMishap.FAILED: JobState.FAILED,
    JobMishap.EXPIRED: JobState.EXPIRED,
    JobMishap.CANCELLED: JobState.CANCELLED,
}
