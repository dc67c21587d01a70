"""Reads what a job is to do: the body that makes it, and its file of requests; strict. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import field
from typing import Final

from curator.rehearsal.inbound import MalformedRequest, camel_cased, read_json
from curator.rehearsal.words.replies import Json
from shared.value_class import value_class

LINES_TYPES: Final = frozenset({"jsonl", "application/jsonl", "application/json", "text/plain"})
"""The media types of files that are read as lines of requests."""
_BATCH: Final = frozenset({"displayName", "inputConfig", "model", "priority", "webhookConfig"})
_LINE: Final = frozenset({"key", "request", "metadata"})
_LONGEST_QUOTE: Final = 60


@value_class
class NewJob:
    """What the body of ``batchGenerateContent`` says: the name of a file, or requests."""

    display_name: str
    file_name: str
    requests: tuple[BatchRequest, ...]
    priority: int = 0


@value_class
class BatchRequest:
    """A request of a job, as it was sent.

    ``key`` is ``None`` where it has none; ``metadata`` comes back with the result.
    """

    request: object = field(repr=False)
    key: str | None = None
    metadata: Json = field(default_factory=dict)


def read_new_job(body: bytes) -> NewJob:
    """Parse the body of ``batchGenerateContent``.

    Raises:
        MalformedRequest: not JSON, unknown names, or neither a file nor requests.
    """
    outer = _with_known_names(read_json(body), frozenset({"batch"}))
    batch = _with_known_names(outer.get("batch") or {}, _BATCH)
    source = _with_known_names(batch.get("inputConfig") or {}, frozenset({"fileName", "requests"}))
    name, inline = source.get("fileName"), source.get("requests")
    if (name is None) == (inline is None):
        raise MalformedRequest(
            "* BatchGenerateContentRequest.batch.input_config: one of file_name "
            "and requests must be set"
        )
    listed = _with_known_names(inline or {}, frozenset({"requests"})).get("requests")
    if inline is not None and (not isinstance(listed, list) or not listed):
        raise MalformedRequest(
            "* BatchGenerateContentRequest.batch.input_config.requests: requests must not be empty"
        )
    return NewJob(
        display_name=_text(batch.get("displayName"), "batch.display_name"),
        file_name=_text(name, "batch.input_config.file_name"),
        requests=tuple(_inline(value) for value in listed or ()),
        priority=_whole(batch.get("priority"), "batch.priority"),
    )


def _text(value: object, name: str) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    raise MalformedRequest(f"Invalid value at '{name}' (TYPE_STRING), {value}")


def _whole(value: object, name: str) -> int:
    # JSON of Google's has numbers of 64 bits as text.
    if isinstance(value, str) and value.removeprefix("-").isdecimal():
        return int(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value or 0
    raise MalformedRequest(f"Invalid value at '{name}' (TYPE_INT64), {value}")


def _inline(value: object) -> BatchRequest:
    table = _with_known_names(value, frozenset({"request", "metadata"}))
    metadata = table.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise MalformedRequest("Invalid value at 'batch.input_config.requests.requests.metadata'")
    return BatchRequest(table.get("request"), metadata=metadata)


def read_lines(content: bytes) -> tuple[BatchRequest, ...]:
    """Parse a file of requests, one JSON object a line; empty lines are skipped.

    Raises:
        MalformedRequest: a line is no such object, or there is none.
    """
    requests = tuple(_lines(content))
    if not requests:
        raise MalformedRequest("The input file contains no requests.")
    return requests


def _lines(content: bytes) -> Iterator[BatchRequest]:
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            table = _with_known_names(json.loads(line), _LINE)
        except (ValueError, RecursionError, MalformedRequest) as error:
            quoted = line[:_LONGEST_QUOTE].decode(errors="replace")
            raise MalformedRequest(
                f"Failed to parse the input file at line {number}: {error}: {quoted}"
            ) from error
        if not isinstance(table.get("request"), dict):
            raise MalformedRequest(
                f"Failed to parse the input file at line {number}: request is not set."
            )
        key, metadata = table.get("key"), table.get("metadata")
        yield BatchRequest(
            table["request"],
            key=None if key is None else str(key),
            metadata=metadata if isinstance(metadata, dict) else {},
        )


def _with_known_names(value: object, known: frozenset[str]) -> Json:
    table = camel_cased(value)
    for name in table:
        if name not in known:
            raise MalformedRequest(
                f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
            )
    return table
