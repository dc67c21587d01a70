"""Errors within operations and lines of results: they have gRPC's numbers, no HTTP status; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from shared.endpoints.refusals.error_answers import refusal_within
from shared.endpoints.refusals.foreign_json import as_count, as_dict
from shared.endpoints.refusals.refusal import Refusal
from shared.program.reporting.secret_mask import SecretMask

# https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
_NAMES: Final = {
    1: "CANCELLED",
    2: "UNKNOWN",
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    6: "ALREADY_EXISTS",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    9: "FAILED_PRECONDITION",
    10: "ABORTED",
    11: "OUT_OF_RANGE",
    12: "UNIMPLEMENTED",
    13: "INTERNAL",
    14: "UNAVAILABLE",
    15: "DATA_LOSS",
    16: "UNAUTHENTICATED",
}


def refusal_told(content: Mapping[str, Any], mask: SecretMask) -> Refusal | None:
    """Return what the ``error`` of an operation or a line means; ``None`` where there is none."""
    error = as_dict(content.get("error"))
    name = _NAMES.get(as_count(error.get("code")))
    if name is None:
        return refusal_within(dict(content), {}, mask)
    return refusal_within({"error": {**error, "code": None, "status": name}}, {}, mask)
