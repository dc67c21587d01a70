"""What a service tells of a batch job: its state, its counts, where its results are; pure.

Read from the operation as it comes: of the developer API, google-genai leaves the error and the
counts out, and takes a state that it does not know for one that is not over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from curator.annotators.batch.job_state import JobState
from curator.annotators.batch.rpc_errors import refusal_told
from shared.endpoints.protocols.annotator import ending_of
from shared.endpoints.refusals.foreign_json import as_count, as_dict, loads
from shared.endpoints.refusals.refusal import Refusal, Unavailable
from shared.program.reporting.secret_mask import SecretMask
from shared.value_class import value_class

_STATES: Final[Mapping[str, JobState]] = {
    "PENDING": JobState.WAITING,
    "QUEUED": JobState.WAITING,
    "RUNNING": JobState.RUNNING,
    "UPDATING": JobState.RUNNING,
    "PAUSED": JobState.RUNNING,
    "CANCELLING": JobState.RUNNING,
    "SUCCEEDED": JobState.SUCCEEDED,
    # What there is of it is fetched, and the rest asked again.
    "PARTIALLY_SUCCEEDED": JobState.SUCCEEDED,
    "FAILED": JobState.FAILED,
    "CANCELLED": JobState.CANCELLED,
    "EXPIRED": JobState.EXPIRED,
}


@value_class
class Operation:
    """A batch job as its service tells of it.

    ``name`` is the service's own. ``results_file`` is empty where there is none, ``refusal`` what
    it says went wrong with the job as a whole. ``unknown_state`` is the service's word for a state
    that is not known here.
    """

    name: str
    state: JobState
    results_file: str = ""
    failed_requests: int = 0
    refusal: Refusal | None = None
    unknown_state: str = ""


def read_operation(body: str, mask: SecretMask) -> Operation:
    """Return what the body of an answer about a batch job tells.

    Raises:
        Unavailable: it tells of none, or is cut off.
    """
    try:
        content = as_dict(loads(body))
    except (ValueError, RecursionError) as error:
        raise Unavailable("an answer about a batch job that is cut off") from error
    name = content.get("name")
    if not isinstance(name, str) or not name:
        raise Unavailable("an answer that tells of no batch job")
    metadata = as_dict(content.get("metadata")) or content
    refusal = refusal_told(content, mask)
    state, unknown = _state(metadata.get("state"))
    if state is JobState.RUNNING and content.get("done") is True:
        # Whatever a new word may mean, nothing more comes of it.
        state = JobState.SUCCEEDED if refusal is None else JobState.FAILED
    return Operation(
        name=name,
        state=state,
        results_file=_results_file(content, metadata),
        failed_requests=as_count(as_dict(metadata.get("batchStats")).get("failedRequestCount")),
        refusal=refusal,
        unknown_state=unknown,
    )


def _state(word: object) -> tuple[JobState, str]:
    """Return a state, and the service's word for it where that is not known."""
    told = ending_of(word)
    for prefix in ("BATCH_STATE_", "JOB_STATE_"):
        told = told.removeprefix(prefix)
    state = _STATES.get(told.upper())
    return (JobState.RUNNING, told) if state is None else (state, "")


def _results_file(content: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    """Return the file of the results: where the documents say, or where it was seen as well."""
    places = (
        as_dict(metadata.get("output")),
        as_dict(content.get("response")),
        as_dict(as_dict(content.get("response")).get("output")),
        as_dict(metadata.get("dest")),
    )
    names = (place.get(key) for place in places for key in ("responsesFile", "fileName"))
    return next((name for name in names if isinstance(name, str) and name), "")
