"""Whoever reaches a port of ours: what is no request is a 4xx, and nobody takes it all up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from shared.web import bodies, listening
from shared.web.access import Address
from shared.web.bodies import form_in, json_in

FORM = "Content-Type: application/x-www-form-urlencoded"
PARTS = "Content-Type: multipart/form-data; boundary=x"
LARGEST = 100_000
BIG_REPLY = 64 * 2**20


@asynccontextmanager
async def site(connections: list[asyncio.BaseTransport] | None = None) -> AsyncIterator[int]:
    """Yield the port; ``connections`` gets those on which the big reply is asked for."""

    async def form(request: web.Request) -> web.Response:
        return web.Response(text=",".join(await form_in(request)))

    async def json(request: web.Request) -> web.Response:
        return web.json_response(await json_in(request))

    async def big(request: web.Request) -> web.Response:
        if connections is not None and request.transport is not None:
            connections.append(request.transport)
        return web.Response(body=bytes(BIG_REPLY))

    async def broken(_: web.Request) -> web.Response:
        raise KeyError("a fault of our own")

    application = web.Application(client_max_size=LARGEST)
    application.add_routes([web.post("/form", form), web.post("/json", json)])
    application.add_routes([web.get("/big", big), web.get("/broken", broken)])
    async with listening.listening(application, Address("127.0.0.1", 0), "--listen") as where:
        yield where.port


def post(path: str, header: str, body: bytes, length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{header}\r\nContent-Length: {length}\r\n\r\n"
    )
    return head.encode() + body


def field(headers: bytes) -> bytes:
    return b"--x\r\n" + headers + b"\r\n\r\nabc\r\n--x--\r\n"


NAMED = b'Content-Disposition: form-data; name="token"'
NO_REQUESTS: Mapping[str, bytes] = {
    "a field without a name": post("/form", PARTS, field(b"Content-Disposition: form-data")),
    "a field without headers": post("/form", PARTS, field(b"X: y")),
    "a form without a boundary": post("/form", "Content-Type: multipart/form-data", b"abc"),
    "another boundary": post("/form", PARTS.replace("=x", "=y"), field(NAMED)),
    "parts cut off": post("/form", PARTS, b"--x\r\n" + NAMED + b"\r\n\r\nabc"),
    "a transfer encoding that there is not": post(
        "/form", PARTS, field(NAMED + b"\r\nContent-Transfer-Encoding: nonsense")
    ),
    "parts within a part": post(
        "/form", PARTS, field(NAMED + b"\r\nContent-Type: multipart/mixed; boundary=y")
    ),
    "what says it is gzip": post("/form", f"{FORM}\r\nContent-Encoding: gzip", b"token=abc"),
    "a charset that there is not": post("/form", f"{FORM}; charset=nope", b"token=abc"),
    "bytes that are no text": post("/form", FORM, b"token=\xff"),
    "JSON in what says it is gzip": post("/json", "Content-Encoding: gzip", b"{}"),
    "cut JSON": post("/json", "X: y", b'{"a": '),
    "no JSON": post("/json", "X: y", b"\xff"),
    "a body larger than is taken": post("/json", "X: y", b" " * (LARGEST + 1)),
    "no HTTP": b"hello\r\n\r\n",
    "no number of bytes": b"POST /form HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    "a header without an end": b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
}


async def sent(port: int, request: bytes) -> bytes:
    """Return the first line of what answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.readline(), 5)
    finally:
        writer.close()


async def test_what_is_no_request_is_a_4xx_and_one_counted_line() -> None:
    with capture_logs() as events:
        async with site() as port:
            replies = {name: await sent(port, text) for name, text in NO_REQUESTS.items()}
    statuses = {name: int(line.split()[1]) for name, line in replies.items()}
    assert {name: status for name, status in statuses.items() if not 400 <= status < 500} == {}
    told = [event for event in events if event["log_level"] != "info"]
    assert {event["event"] for event in told} == {"no_http_requests"}
    assert len(told) <= 2  # the first at once, and at the end how many more there were


async def test_a_fault_of_our_own_is_told_whole(caplog: pytest.LogCaptureFixture) -> None:
    async with site() as port:
        assert b" 500 " in await sent(port, b"GET /broken HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert "a fault of our own" in caplog.text


async def test_connections_beyond_the_most_get_a_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "MOST_CONNECTIONS", 3)
    request = post("/form", FORM, b"token=abc")
    async with site() as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert b" 503 " in await sent(port, request)
        idle.pop()[1].close()
        await asyncio.sleep(0.05)
        assert b" 200 " in await sent(port, request)
        for _, writer in idle:
            writer.close()


@pytest.mark.parametrize("begun", [b"", b"GET /bi", b"GET / HTTP/1.1\r\nHost: localhost\r\n"])
async def test_a_connection_on_which_no_request_comes_is_cut(
    monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(listening, "PATIENCE_S", 0.2)
    async with site() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(begun)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "PATIENCE_S", 0.2)
    async with site() as port:
        assert b" 408 " in await sent(port, post("/form", FORM, b"token=", length=1000))


async def test_a_client_that_reads_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "PATIENCE_S", 0.2)
    connections: list[asyncio.BaseTransport] = []
    async with site(connections) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**10)
        writer.write(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(20):
            while not connections or not connections[0].is_closing():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert len(await received(reader)) < BIG_REPLY
        writer.close()


async def received(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the end, or until the connection is cut."""
    chunks = []
    with contextlib.suppress(ConnectionError):
        while chunk := await asyncio.wait_for(reader.read(2**20), 5):
            chunks.append(chunk)
    return b"".join(chunks)
