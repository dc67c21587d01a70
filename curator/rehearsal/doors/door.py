"""What all doors share: who calls, how a reply is sent, and what is kept of a request."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field, replace
from typing import Final, TypeAlias

from aiohttp import web

from curator.rehearsal.judge import Judge
from curator.rehearsal.key_ring import RehearsedKey, RehearsedKeyState
from curator.rehearsal.tally import RehearsalTally
from curator.rehearsal.words.replies import Json, WireReply, bad_request
from shared.program.reporting.event_log import EventLog
from shared.value_class import value_class

KEY_HEADER: Final = "x-goog-api-key"
LARGEST_BODY: Final = 20 * 1024 * 1024
"""Bytes; Google's limit for a request with inline data."""
TOO_LARGE: Final = f"Request payload size exceeds the limit: {LARGEST_BODY} bytes."
log = EventLog(__name__)
VERSION: Final = "{version:v1|v1beta}"


@value_class
class Received:
    """A request as it came: its path, its headers by name in lower case, and its body."""

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Refused(Exception):
    """What a caller is told instead of what it asked for, with the headers that go with it."""

    def __init__(self, reply: WireReply, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reply.status)
        self.reply = reply
        self.headers = headers


Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


def telling(handler: Handler) -> Handler:
    """Return ``handler`` with what it raises as ``Refused`` sent as a reply."""

    async def told(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as refused:
            return json_reply(refused.reply, refused.headers)

    return told


@value_class
class Caller:
    """Whose key came with a request, and how many requests it had sent before."""

    key: RehearsedKey
    earlier: int


def key_of(request: web.Request, judge: Judge) -> RehearsedKey:
    """Return the key of a request, from its header or its query; an access token is none."""
    key = judge.key(request.headers.get(KEY_HEADER) or request.query.get("key", ""))
    if not key.is_enterprise:
        return key
    return replace(key, state=RehearsedKeyState.INVALID, valid_for=0)


async def body_of(request: web.Request) -> bytes:
    """Return the body of a request.

    Raises:
        Refused: it is too large.
    """
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise Refused(bad_request(TOO_LARGE)) from error


def keep(record: Callable[[Received], None] | None, request: web.Request, body: bytes) -> None:
    """Hand a request to whoever records it."""
    if record is not None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        record(Received(request.path, headers, body))


def json_reply(reply: WireReply, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a reply as it is sent."""
    return web.json_response(reply.body, status=reply.status, headers=headers)


def success(body: Json) -> web.Response:
    """Return what went well."""
    return json_reply(WireReply(200, body))


def json_bytes(body: Json) -> bytes:
    """Return JSON as it is sent; halves of characters become question marks."""
    return json.dumps(body, ensure_ascii=False).encode(errors="replace")


class Visitors:
    """Lets in whoever may look at files and jobs."""

    def __init__(self, judge: Judge, tally: RehearsalTally) -> None:
        self._judge = judge
        self._tally = tally

    def admit(self, request: web.Request, method: str) -> Caller:
        """Return who calls ``method``.

        Raises:
            Refused: the key is not good.
        """
        key = key_of(request, self._judge)
        earlier = self._tally.called(key.label, key.project, method)
        log.debug("rehearsal_call", key_label=key.label, method=method)
        refused = self._judge.caller_refusal(key, earlier)
        if refused is not None:
            if refused.ends_key:
                self._tally.told_dead(key.label)
            raise Refused(refused.reply)
        return Caller(key, earlier)
