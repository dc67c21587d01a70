"""What is written on a connection, and what comes of the answers that servers give."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest

from shared.endpoints.connections import CleanConnector
from shared.endpoints.protocols.line import Answer, Lines

HEADERS = {"Content-Type": "application/json", "x-goog-api-key": "AIza-secret"}
BODY = b'{"a": 1}'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ndo\r\n2\r\nne\r\n0\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"
ASKING = """
import asyncio, os, signal, sys
import aiohttp
from shared.endpoints.connections import CleanConnector
from shared.endpoints.protocols.line import Lines

async def ask(lines, left):
    try:
        line = lines.to("POST", sys.argv[1], {}, None)
        print((await lines.send(line, b"{}", left, 100)).body.decode())
    except TimeoutError:
        print("TimeoutError")

async def main():
    async with aiohttp.ClientSession(connector=CleanConnector()) as session:
        lines = Lines(session, 0.4)
        stop = lambda: os.kill(os.getpid(), signal.SIGSTOP)
        await asyncio.gather(ask(lines, lambda: None), ask(lines, stop))

asyncio.run(main())
"""


class Server:
    """Answers each request with the next of ``answers``; an empty one cuts the connection."""

    def __init__(self, answers: list[bytes]) -> None:
        self._answers = answers
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.hangs = asyncio.Event()
        self.reads_bodies = True
        self.reads = asyncio.Event()
        self.reads.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        await self.reads.wait()
        while self._answers:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
            except asyncio.IncompleteReadError:
                break
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ") for line in lines)}
            length = int(headers.get("content-length", "0"))
            body = await reader.readexactly(length if self.reads_bodies else 0)
            self.requests.append((first, headers, body))
            answer = self._answers.pop(0)
            writer.write(answer)
            if not answer:
                break
            if b"hangs" in answer or not self.reads_bodies:
                await self.hangs.wait()
        writer.close()

    async def close(self) -> None:
        self.hangs.set()
        self.reads.set()
        for writer in self.writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def served(
    *answers: bytes, timeout_s: float = 20.0
) -> AsyncIterator[tuple[Server, str, Lines]]:
    server = Server(list(answers))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        async with aiohttp.ClientSession(connector=CleanConnector()) as session:
            yield server, f"http://127.0.0.1:{port}", Lines(session, timeout_s)
    finally:
        await server.close()
        listening.close()


async def sent(
    lines: Lines,
    url: str,
    proxy: str | None = None,
    body: bytes | None = BODY,
    left: Callable[[], None] = lambda: None,
) -> Answer:
    method = "GET" if body is None else "POST"
    return await lines.send(lines.to(method, f"{url}/v1/x?y=1", HEADERS, proxy), body, left, 100)


async def test_a_request_is_written_whole_and_its_connection_is_used_again():
    departures: list[str] = []
    async with served(OK, OK, OK) as (server, url, lines):
        answer = await sent(lines, url, left=lambda: departures.append("left"))
        assert (answer.status, answer.body, departures) == (200, b"done", ["left"])
        await sent(lines, url, body="ä".encode())
        await sent(lines, url, body=None)
    (first, headers, body), (_, _, second), (look, of_look, _) = server.requests
    assert (first, body, second) == ("POST /v1/x?y=1 HTTP/1.1", BODY, "ä".encode())
    assert headers["x-goog-api-key"] == "AIza-secret"
    assert headers["content-type"] == "application/json"
    assert headers["host"] == url.removeprefix("http://")
    assert look == "GET /v1/x?y=1 HTTP/1.1"
    assert "content-length" not in of_look
    assert len(server.writers) == 1


async def test_a_request_has_left_once_a_slow_connection_has_taken_it():
    was_read_when_it_left: list[bool] = []
    async with served(OK) as (server, url, lines):
        server.reads.clear()
        asyncio.get_running_loop().call_later(0.1, server.reads.set)
        await sent(
            lines,
            url,
            body=bytes(2**25),
            left=lambda: was_read_when_it_left.append(server.reads.is_set()),
        )
    assert was_read_when_it_left == [True]


async def test_a_proxy_is_told_the_whole_address_and_who_asks():
    async with served(OK, OK) as (server, url, lines):
        proxy = url.replace("//", "//me:word@")
        for _ in range(2):
            answer = await sent(lines, "http://service.example", proxy)
            assert answer.body == b"done"
    for first, headers, _ in server.requests:
        assert first == "POST http://service.example/v1/x?y=1 HTTP/1.1"
        assert headers["host"] == "service.example"
        assert headers["proxy-authorization"] == "Basic bWU6d29yZA=="


@pytest.mark.parametrize(
    ("wire", "status", "body"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"done"),
        (CHUNKED, 200, b"done"),
        (b"HTTP/1.1 101 Switch\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", 101, b""),
        (b"HTTP/1.1 302 Found\r\nLocation: /z\r\nContent-Length: 0\r\n\r\n", 302, b""),
        (b"HTTP/1.1 500 No\r\nContent-Length: 300\r\n\r\n" + b"x" * 300, 500, b"x" * 300),
    ],
)
async def test_answers_are_read_as_they_come(wire: bytes, status: int, body: bytes):
    async with served(wire) as (_, url, lines):
        answer = await sent(lines, url)
    assert (answer.status, answer.body) == (status, body)


async def test_of_a_refusal_whose_body_does_not_come_the_status_counts():
    wire = b"HTTP/1.1 429 Slow\r\nContent-Length: 90\r\nRetry-After: 7\r\n\r\nhangs"
    async with served(wire, timeout_s=0.3) as (_, url, lines):
        answer = await sent(lines, url)
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (429, b"hangs", "7")


@pytest.mark.parametrize(
    ("wire", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nhangs", TimeoutError),
        (b"", aiohttp.ServerDisconnectedError),
        (b"hangs? this is no HTTP\r\n\r\n", aiohttp.ClientResponseError),
    ],
)
async def test_what_is_no_answer_is_an_error_and_the_next_request_has_a_new_connection(
    wire: bytes, error: type[Exception]
):
    async with served(wire, OK, timeout_s=0.5) as (server, url, lines):
        with pytest.raises(error):
            await sent(lines, url)
        assert (await sent(lines, url)).body == b"done"
    assert len(server.writers) == 2


async def test_who_waits_is_cancelled_by_others_alone_and_no_more_once_it_was_too_late():
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nhangs"
    task = asyncio.current_task()
    assert task is not None
    asked = asyncio.Event()
    async with served(wire, wire, timeout_s=0.2) as (_, url, lines):
        asking = asyncio.create_task(sent(lines, url, left=asked.set))
        await asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        with pytest.raises(TimeoutError):
            await sent(lines, url)
        assert task.cancelling() == 0


async def test_no_header_can_hold_another_one():
    async with served(OK) as (server, url, lines):
        with pytest.raises(ValueError, match="control character"):
            await lines.send(lines.to("POST", url, {"a": "b\r\nc: d"}, None), BODY, list, 100)
    assert server.requests == []


async def test_what_came_unasked_is_no_answer_to_the_next_request():
    stray = OK.replace(b"done", b"late")
    async with served(OK, OK.replace(b"done", b"mine")) as (server, url, lines):
        await sent(lines, url)
        server.writers[0].write(stray)
        await asyncio.sleep(0.05)
        assert (await sent(lines, url)).body == b"mine"
    assert len(server.writers) == 2


async def test_a_request_may_be_refused_before_it_was_read():
    refusal = b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\nRetry-After: 7\r\n\r\n"
    left: list[str] = []
    async with served(refusal, refusal) as (server, url, lines):
        server.reads_bodies = False
        for _ in range(2):
            answer = await sent(lines, url, body=bytes(2**25), left=lambda: left.append("left"))
            assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    assert (len(server.writers), left) == (2, ["left", "left"])


async def test_a_reply_before_all_was_asked_is_none():
    async with served(OK) as (server, url, lines):
        server.reads_bodies = False
        with pytest.raises(aiohttp.ClientConnectionError, match="not yet asked"):
            await sent(lines, url, body=bytes(2**25))


async def test_a_proxy_is_not_told_who_asks_the_service():
    async with served(OK) as (server, url, lines):
        await sent(lines, "http://me:word@service.example", url)  # pragma: allowlist secret
    first, headers, _ = server.requests[0]
    assert first == "POST http://service.example/v1/x?y=1 HTTP/1.1"
    assert headers["authorization"] == "Basic bWU6d29yZA=="


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system stops no process")
def test_an_answer_that_came_while_the_process_was_stopped_is_read():
    """Its deadline is long past when it goes on; and one that did not come is not waited for."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        asking = subprocess.Popen(
            [sys.executable, "-c", ASKING, address], stdout=subprocess.PIPE, text=True
        )
        with server.accept()[0] as answered, server.accept()[0] as silent:
            answered.recv(4096), silent.recv(4096)
            answered.sendall(OK)
            time.sleep(1.5)
            asking.send_signal(signal.SIGCONT)
            told, _ = asking.communicate(timeout=30)
    assert sorted(told.splitlines()) == ["TimeoutError", "done"]
