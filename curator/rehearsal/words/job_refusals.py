"""What is told of files and jobs that may not be had, as Google words it where that is known. Pure.

A file of another project is refused as if it were not there (googleapis/python-genai 1218).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from curator.rehearsal.words.replies import (
    Json,
    WireReply,
    error_reply,
)

OPERATION_TYPE: Final = "type.googleapis.com/google.ai.generativelanguage.v1main"


def rfc3339(at: float) -> str:
    """Return a moment in seconds since the epoch as JSON of Google's has it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def hidden_file(file_id: str) -> WireReply:
    """Return the refusal of a file that is not there, or belongs to another project."""
    message = f"You do not have permission to access the File {file_id} or it may not exist."
    return error_reply(403, "PERMISSION_DENIED", message)


def taken_name(name: str) -> WireReply:
    """Return the refusal of a name that another file has."""
    return error_reply(409, "ALREADY_EXISTS", f"Requested entity already exists: {name}.")


def unknown_entity() -> WireReply:
    """Return the refusal of a job that is not there, or belongs to another project."""
    return error_reply(404, "NOT_FOUND", "Requested entity was not found.")


def unknown_page() -> WireReply:
    """Return the refusal of a page of a list that there is not."""
    return error_reply(400, "INVALID_ARGUMENT", "page_token is invalid.")


def model_without_batches(model: str, version: str) -> WireReply:
    """Return the refusal of a model that takes no jobs."""
    message = (
        f"models/{model} is not found for API version {version}, or is not supported for "
        "batchGenerateContent. Call ListModels to see the list of available models and their "
        "supported methods."
    )
    return error_reply(404, "NOT_FOUND", message)


def over_already(name: str) -> WireReply:
    """Return the refusal to cancel a job that has ended."""
    message = f"Operation {name} has already completed and cannot be cancelled."
    return error_reply(400, "FAILED_PRECONDITION", message)


def status_of(reply: WireReply) -> Json:
    """Return an error as a line of results has it: ``google.rpc.Status``, with a canonical code."""
    error = reply.body["error"]
    told: Json = {"code": _CANONICAL_CODES[error["status"]], "message": error["message"]}
    return told | ({"details": error["details"]} if "details" in error else {})


_CANONICAL_CODES: Final = {
    "INVALID_ARGUMENT": 3,
    "NOT_FOUND": 5,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
}
