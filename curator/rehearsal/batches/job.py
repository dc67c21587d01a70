"""A job: its requests, where it stands at a moment, and what is told of it. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from curator.rehearsal.batches.mishaps import JobMishap
from curator.rehearsal.inbound import Inquiry
from curator.rehearsal.words.job_refusals import OPERATION_TYPE, rfc3339
from curator.rehearsal.words.replies import Json, WireReply
from shared.value_class import value_class


class JobState(StrEnum):
    """Where a job stands; the value is the word on the wire."""

    PENDING = "BATCH_STATE_PENDING"
    RUNNING = "BATCH_STATE_RUNNING"
    SUCCEEDED = "BATCH_STATE_SUCCEEDED"
    PARTIALLY_SUCCEEDED = "BATCH_STATE_PARTIALLY_SUCCEEDED"
    FAILED = "BATCH_STATE_FAILED"
    CANCELLED = "BATCH_STATE_CANCELLED"
    EXPIRED = "BATCH_STATE_EXPIRED"
    UNHEARD_OF = "BATCH_STATE_AWAITING_REVIEW"
    """No documentation names it."""


@value_class
class Row:
    """One request of a job: what it asks, or what it is told where it cannot be read."""

    key: str | None
    metadata: Json
    asks: Inquiry | WireReply = field(repr=False)


@value_class
class Results:
    """What a job has come to: the name of a file, or results that stand in the job itself."""

    succeeded: int
    failed: int
    file_name: str = ""
    inline: tuple[Json, ...] = field(default=(), repr=False)


@value_class
class Times:
    """A job's life, in seconds since the epoch: ``ends_as`` is what it comes to at ``ends_at``."""

    created_at: float
    starts_at: float
    ends_at: float
    ends_as: JobState
    output_at: float


@dataclass(slots=True)
class Job:
    """A job; ``number`` is how many there were before it.

    ``input_file`` is empty where the requests came with the job. A job that was deleted goes on
    unseen. ``tokens`` are the input tokens of its ``requests``; ``rows`` hold them to its end.
    """

    name: str
    number: int
    project: str
    model: str
    display_name: str
    input_file: str
    priority: int
    requests: int
    tokens: int
    rows: tuple[Row, ...] = field(repr=False)
    mishap: JobMishap | None
    times: Times
    cancelled_at: float | None = None
    is_deleted: bool = False
    results: Results | None = None

    def state(self, now: float) -> JobState:
        """Return where it stands."""
        if self.cancelled_at is not None and now >= self.cancelled_at:
            return JobState.CANCELLED
        if now < self.times.starts_at:
            return JobState.PENDING
        if self.mishap is JobMishap.UNKNOWN_STATE:
            return JobState.UNHEARD_OF
        return JobState.RUNNING if now < self.times.ends_at else self.times.ends_as

    def is_over(self, now: float) -> bool:
        """Return whether nothing more comes of it."""
        return now >= (self.times.ends_at if self.cancelled_at is None else self.cancelled_at)

    def has_results(self, now: float) -> bool:
        """Return whether its requests were answered by now."""
        is_done = self.cancelled_at is None and now >= self.times.ends_at
        return is_done and self.times.ends_as in _WITH_RESULTS

    def operation(self, now: float) -> Json:
        """Return what ``GET batches/ID`` tells."""
        metadata: Json = {
            "@type": f"{OPERATION_TYPE}.GenerateContentBatch",
            "model": f"models/{self.model}",
            "displayName": self.display_name,
            "inputConfig": {"fileName": self.input_file} if self.input_file else {},
            "createTime": rfc3339(self.times.created_at),
            "updateTime": rfc3339(self._updated_at(now)),
            "batchStats": self._stats(now),
            "state": self.state(now).value,
            "name": self.name,
        }
        metadata |= {"priority": str(self.priority)} if self.priority else {}
        told: Json = {"name": self.name, "metadata": metadata}
        if not self.is_over(now):
            return told
        metadata["endTime"] = rfc3339(self._updated_at(now))
        told["done"] = True
        output = self._output(now)
        if self.state(now) in _ERRORS:
            code, message = _ERRORS[self.state(now)]
            told["error"] = {"code": code, "message": message}
        elif output:
            metadata["output"] = output
            told["response"] = {"@type": f"{OPERATION_TYPE}.GenerateContentBatchOutput"} | output
        return told

    def as_made(self) -> Json:
        """Return what is told of it in the moment in which it is made."""
        times = replace(self.times, starts_at=math.inf, ends_at=math.inf)
        waiting = replace(self, times=times, mishap=None)
        return waiting.operation(self.times.created_at)

    def _updated_at(self, now: float) -> float:
        ends_at = self.times.ends_at if self.cancelled_at is None else self.cancelled_at
        return max(at for at in (self.times.created_at, self.times.starts_at, ends_at) if at <= now)

    def _output(self, now: float) -> Json:
        if self.results is None or now < self.times.output_at:
            return {}
        if self.results.file_name:
            return {"responsesFile": self.results.file_name}
        if self.results.inline:
            return {"inlinedResponses": {"inlinedResponses": list(self.results.inline)}}
        return {}

    def _stats(self, now: float) -> Json:
        counts = {"requestCount": self.requests}
        if self.results is not None:
            counts["successfulRequestCount"] = self.results.succeeded
            counts["failedRequestCount"] = self.results.failed
        elif self.is_over(now):
            counts["failedRequestCount"] = self.requests
        else:
            counts["pendingRequestCount"] = self.requests
        # Google's JSON has 64-bit numbers as text, and leaves out what is nothing.
        return {name: str(count) for name, count in counts.items() if count}


_WITH_RESULTS: Final = (JobState.SUCCEEDED, JobState.PARTIALLY_SUCCEEDED)
_ERRORS: Final = {
    JobState.FAILED: (13, "Internal error encountered while processing the batch."),
    JobState.CANCELLED: (1, "The operation was cancelled."),
    JobState.EXPIRED: (4, "The batch expired before all of its requests were processed."),
}
