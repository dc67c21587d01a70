"""What stands in a lease's place for a request of a batch job: no quota of requests counts it."""

from __future__ import annotations

import copy

from curator.ledger import Attempt, BatchJob
from shared.endpoints.keys.key import Key
from shared.endpoints.pool.lease import Lease
from shared.endpoints.pool.records import Meter
from shared.endpoints.pool.usage import Reservation


def job_lease(key: Key, job: BatchJob, attempt: Attempt | None = None) -> Lease:
    """Return the lease of a request of ``job``, or of the job itself.

    ``key`` may be another one of the job's project than the one that the job counts for.
    """
    if key.fingerprint != job.key_fingerprint:
        key = copy.copy(key)
        # What a job brings counts for the key that made it, which only its fingerprint is known of.
        object.__setattr__(key, "fingerprint", job.key_fingerprint)
    at, tokens = (
        (job.created_at, 0) if attempt is None else (attempt.started_at, attempt.reserved_tokens)
    )
    return Lease(key, Meter(job.project, job.model), Reservation(at, tokens, counted=False))
