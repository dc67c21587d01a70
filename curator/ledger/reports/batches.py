"""A campaign's batch jobs: how they stand, and which are not settled."""

from __future__ import annotations

import sqlite3
from typing import Final

from curator.annotators.batch.job_state import JobState
from curator.ledger.records.batches import BatchCounts, BatchJob

_OPEN: Final = tuple(state.value for state in JobState if not state.is_over)
_IN_OPEN: Final = f"state IN ({', '.join('?' * len(_OPEN))})"
_HOLDS: Final = "id IN (SELECT job_id FROM batch_requests)"
_HAS_FILES: Final = "(file_name <> '' OR results_file <> '')"


def last_job_id(connection: sqlite3.Connection) -> int:
    """Return the highest number of a job, 0 where there is none."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM batch_jobs").fetchone()[0])


def batch_counts(connection: sqlite3.Connection, campaign_id: int) -> BatchCounts:
    """Count a campaign's jobs by state, with the requests that they hold."""
    of_campaign = (campaign_id,)
    jobs = "SELECT state, count(*) FROM batch_jobs WHERE campaign_id = ? GROUP BY state"
    held = (
        "SELECT state, count(*) FROM batch_requests JOIN batch_jobs ON batch_jobs.id = job_id"
        " WHERE batch_requests.campaign_id = ? GROUP BY state"
    )
    oldest = f"SELECT min(created_at) FROM batch_jobs WHERE campaign_id = ? AND {_IN_OPEN}"  # noqa: S608
    files = "(file_name <> '') + (results_file <> '')"
    of_over = f"campaign_id = ? AND NOT {_IN_OPEN}"
    left = f"SELECT sum({files}) FROM batch_jobs WHERE {of_over}"  # noqa: S608
    return BatchCounts(
        dict(connection.execute(jobs, of_campaign).fetchall()),
        dict(connection.execute(held, of_campaign).fetchall()),
        connection.execute(oldest, (campaign_id, *_OPEN)).fetchone()[0],
        connection.execute(left, (campaign_id, *_OPEN)).fetchone()[0] or 0,
    )


def unsettled_jobs(connection: sqlite3.Connection, campaign_id: int) -> list[BatchJob]:
    """Return the jobs that are not over, or whose results were not all taken; oldest first."""
    statement = (
        f"SELECT * FROM batch_jobs WHERE campaign_id = ? AND ({_IN_OPEN} OR {_HOLDS}) ORDER BY id"  # noqa: S608
    )
    return list(map(_job, connection.execute(statement, (campaign_id, *_OPEN))))


def jobs_with_files(connection: sqlite3.Connection, campaign_id: int) -> list[BatchJob]:
    """Return the settled jobs that have files at the service yet."""
    statement = (
        f"SELECT * FROM batch_jobs WHERE campaign_id = ? AND {_HAS_FILES}"  # noqa: S608
        f" AND NOT {_IN_OPEN} AND NOT {_HOLDS} ORDER BY id"
    )
    return list(map(_job, connection.execute(statement, (campaign_id, *_OPEN))))


def _job(row: sqlite3.Row) -> BatchJob:
    return BatchJob(
        job_id=row["id"],
        campaign_id=row["campaign_id"],
        display_name=row["display_name"],
        key_fingerprint=row["key_fingerprint"],
        project=row["project"],
        model=row["model"],
        requests=row["requests"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        state=JobState(row["state"]),
        file_name=row["file_name"],
        job_name=row["job_name"],
        results_file=row["results_file"],
        answered=row["answered"],
        error=row["error"],
        ended_at=row["ended_at"],
    )
