"""Batch jobs: what is remembered of each, and of the requests that it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Final

from curator.annotators.batch.job_state import JobState
from curator.ledger.records.requests import Attempt
from curator.ledger.records.work import PairItem, WorkItem
from shared.value_class import value_class


@value_class
class BatchJob:
    """A job of many requests, made with one key for one model.

    ``display_name`` is ours, and no other job has it; ``job_name``, ``file_name`` (the requests)
    and ``results_file`` are the service's, empty where there is none or none any more. ``requests``
    is how many it was made of, ``answered`` how many got a reply
    that names their image.
    """

    job_id: int
    campaign_id: int
    display_name: str
    key_fingerprint: str
    project: str
    model: str
    requests: int
    created_at: float
    updated_at: float
    state: JobState = JobState.PREPARED
    file_name: str = ""
    job_name: str = ""
    results_file: str = ""
    answered: int = 0
    error: str = ""
    ended_at: float | None = None


@value_class
class BatchRequest:
    """A request that a job holds: nobody else asks about its image, or its question, meanwhile.

    ``own_id`` is what its reply must name.
    """

    attempt_id: int
    job_id: int
    campaign_id: int
    item_id: int
    question: str | None
    own_id: str


@value_class
class HeldRequest:
    """A request that a job holds, with its attempt, and what it is about.

    ``is_wanted`` is false where nobody asks that any more, because judging the replies again took
    the pair away, or found enough in one of them.
    """

    own_id: str
    attempt: Attempt
    about: WorkItem | PairItem
    is_wanted: bool


@value_class
class BatchCounts:
    """A campaign's jobs by state, and the requests that those hold which are not settled.

    ``oldest_at`` is since when the oldest of these waits, ``files_left`` counts the files of jobs
    that are over and could not be deleted at the service.
    """

    jobs: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    oldest_at: float | None = None
    files_left: int = 0

    @property
    def open_jobs(self) -> int:
        """Return the number of jobs that are not over."""
        return sum(count for state, count in self.jobs.items() if not JobState(state).is_over)

    @property
    def requests_held(self) -> int:
        """Return the number of requests that jobs hold."""
        return sum(self.held.values())


NO_BATCHES: Final = BatchCounts()
