"""The lines of a batch job's files: requests that go in, results that come out; pure.

A request has a key, which its result has too: the number of its attempt. Results come without the
requests, in any order, and some may be missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import orjson

from curator.annotators.batch.rpc_errors import refusal_told
from shared.endpoints.protocols.annotator import Reply
from shared.endpoints.protocols.gemini_wire import read_reply
from shared.endpoints.refusals.foreign_json import as_dict, loads
from shared.endpoints.refusals.refusal import Refusal, Unavailable
from shared.program.reporting.secret_mask import SecretMask
from shared.value_class import value_class

_LONGEST_KEY: Final = 60


@value_class
class ResultLine:
    """What came of one request: a reply, or what was told in place of one."""

    key: str
    result: Reply | Refusal


def request_line(key: str, body: bytes) -> bytes:
    """Return the line for a request with ``body``, which is JSON in one line."""
    return b'{"key": "%s", "request": %s}\n' % (key.encode(), body)


def result_lines(content: bytes, mask: SecretMask) -> Iterator[ResultLine]:
    """Yield what stands in a file of results; what is no such line has an empty key.

    ``mask`` keeps the key of the API out of what is kept.
    """
    for line in content.splitlines():
        if line.strip():
            yield _result(line.decode(errors="replace"), mask)


def _result(line: str, mask: SecretMask) -> ResultLine:
    try:
        row = as_dict(loads(line))
    except (ValueError, RecursionError):
        return ResultLine("", Unavailable("a line of the results that cannot be read"))
    key = row.get("key")
    name = str(key)[:_LONGEST_KEY] if isinstance(key, str | int) else ""
    return ResultLine(name, _told(row, mask))


def _told(row: dict[str, Any], mask: SecretMask) -> Reply | Refusal:
    response = row.get("response")
    if isinstance(response, dict) and not row.get("error"):
        try:
            # Paid as a job's, whatever tier it calls its own.
            return replace(read_reply(mask(_compact(response))), tier=None)
        except Refusal as refusal:
            return refusal
    # An error here is a bare status, or one that stands beside an empty response.
    refused = refusal_told(row, mask)
    return refused or Unavailable("a line of the results that holds no reply")


def _compact(response: dict[str, Any]) -> str:
    try:
        return orjson.dumps(response).decode()
    except TypeError:
        # Halves of characters, or numbers of over 64 bits.
        import json  # noqa: PLC0415

        return json.dumps(response)
