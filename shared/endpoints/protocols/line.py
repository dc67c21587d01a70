"""Requests over the connections of an aiohttp session: one is written, its answer is read.

What else a session does is for browsers (redirects, cookies, traces, bodies that are read piece by
piece), and takes almost half of a request's HTTP in CPU time. Connections, with their pool, TLS and
proxies, and the parser of what comes back are aiohttp's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp.connector import Connection
from aiohttp.hdrs import CONTENT_LENGTH
from aiohttp.http import HttpProcessingError, RawResponseMessage, StreamWriter
from yarl import URL

from shared.value_class import value_class

OK: Final = 200
REMEMBERED: Final = 4_096
"""Lines that are kept: one for each key and model."""
_INFORMATIVE: Final = frozenset(range(100, 200)) - {101}
"""Followed by the answer; 101 says that something else than HTTP follows, and is one."""
_BUFFER_BYTES: Final = 2**16
_STOOD_STILL_S: Final = 0.5
"""No event loop of ours is so late for a deadline while it works."""
_READ_WITHIN_S: Final = 1.0
"""What came while a process stood still waits on its connections."""
_LENGTH: Final = CONTENT_LENGTH.encode()


@value_class
class Answer:
    """What came back: the status, the headers, and the body or what came of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Line:
    """Where requests of one kind go: method, address, headers and proxy are always the same."""

    def __init__(self, request: aiohttp.ClientRequest) -> None:
        self.request = request
        self._head = b""

    def head(self) -> bytes:
        """Return all that stands before the length of a body.

        To be asked for once there is a connection, which adds what its proxy is to be told.

        Raises:
            ValueError: a header is none.
        """
        if not self._head:
            request = self.request
            is_for_proxy = request.proxy is not None and not request.is_ssl()
            # Who asks, where the address says it, is in a header.
            whole = request.url.with_user(None)
            target = str(whole) if is_for_proxy else whole.raw_path_qs
            fields = [f"{name}: {value}" for name, value in request.headers.items()]
            lines = [f"{request.method} {target} HTTP/1.1", *fields]
            if any(not line.isprintable() for line in lines):
                raise ValueError("a header with a control character")
            kept = [line for line in lines if not line.startswith(f"{CONTENT_LENGTH}:")]
            self._head = "".join(f"{line}\r\n" for line in kept).encode()
        return self._head


class _Deadline:
    """Raises ``TimeoutError`` out of its block after so long, as `asyncio.timeout` does.

    Where this process stood still, was stopped or on a machine that slept, the answer may have come
    in the meantime, and be paid for: what waits to be read is read before that. `asyncio.timeout`
    with a timer beside it took twice the CPU time, a hundredth of all that a request takes.
    """

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self.at = self._loop.time() + seconds
        self._is_over = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelled_before = task.cancelling()
        self._timer = self._loop.call_at(self.at, self._reached)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        # Whoever else cancels the task meanwhile means it.
        is_ours = self._is_over and self._task.uncancel() <= self._cancelled_before
        if is_ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from error

    def lift(self) -> None:
        """Wait without an end."""
        self._timer.cancel()

    def _reached(self) -> None:
        if self._loop.time() - self.at > _STOOD_STILL_S:
            self._timer = self._loop.call_later(_READ_WITHIN_S, self._end)
        else:
            self._end()

    def _end(self) -> None:
        self._is_over = True
        self._task.cancel()


class Lines:
    """Sends over the connections of ``session``, and waits for each answer at most so long."""

    def __init__(self, session: aiohttp.ClientSession, timeout_s: float) -> None:
        assert session.connector is not None
        self._session = session
        self._connector = session.connector
        self._timeout_s = timeout_s
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._line = lru_cache(REMEMBERED)(self._new_line)

    def to(self, method: str, url: str, headers: Mapping[str, str], proxy: str | None) -> Line:
        """Return the line to ``url``."""
        return self._line(method, url, tuple(headers.items()), proxy)

    def _new_line(
        self, method: str, url: str, headers: tuple[tuple[str, str], ...], proxy: str | None
    ) -> Line:
        request = aiohttp.ClientRequest(
            method,
            URL(url),
            headers=dict(headers),
            loop=asyncio.get_running_loop(),
            proxy=None if proxy is None else URL(proxy),
            session=self._session,
        )
        return Line(request)

    async def send(
        self, line: Line, body: bytes | None, left: Callable[[], None], longest_refusal: int
    ) -> Answer:
        """Send one request; ``left`` is called once it has its connection and is written.

        Of an answer that is no success, ``longest_refusal`` bytes are read, or what comes of them.

        Raises:
            TimeoutError: there was no whole answer in time.
            aiohttp.ClientError, OSError: the connection failed.
            ValueError: what is sent, or what came, is no HTTP.
        """
        with _Deadline(self._timeout_s) as deadline:
            connection = await self._connector.connect(line.request, [], self._timeout)
            try:
                _write(connection, line.head(), body)
                message, content = await _answered(connection, line.request, left)
                if message.code == OK:
                    _require_question(connection)
                    read = await content.read()
                else:
                    deadline.lift()
                    read = await _beginning(content, longest_refusal, deadline.at)
            except BaseException:
                connection.close()
                raise
            if _is_being_written(connection):
                connection.close()
            else:
                connection.release()
        return Answer(message.code, message.headers, read)


def _write(connection: Connection, head: bytes, body: bytes | None) -> None:
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None or transport.is_closing():
        raise aiohttp.ClientConnectionResetError("the connection is gone")
    protocol.set_response_params(read_until_eof=True, read_bufsize=_BUFFER_BYTES)
    length = b"" if body is None else b"%s: %d\r\n" % (_LENGTH, len(body))
    # In one piece: ``writelines`` of Python 3.12.0 to 3.12.8 tells nobody that it is too much.
    transport.write(b"".join((head, length, b"\r\n", body or b"")))


def _is_being_written(connection: Connection) -> bool:
    """Whether some of the request waits, so that nobody can have read all of it."""
    transport = connection.transport
    return transport is not None and transport.get_write_buffer_size() > 0


def _require_question(connection: Connection) -> None:
    if _is_being_written(connection):
        raise aiohttp.ClientConnectionError("a reply to a question that was not yet asked")


async def _answered(
    connection: Connection, request: aiohttp.ClientRequest, left: Callable[[], None]
) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
    """Return the answer's head; ``left`` is called once nearly all of the request has gone.

    A server may refuse a request, and close, before it has read all of it.
    """
    protocol = connection.protocol
    assert protocol is not None
    if not protocol.writing_paused:
        left()
        return await _head_of_answer(connection, request)
    reading = asyncio.ensure_future(_head_of_answer(connection, request))
    loop = asyncio.get_running_loop()
    writing = asyncio.ensure_future(StreamWriter(protocol, loop).drain())
    try:
        await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
        left()
        return await reading
    finally:
        for task in (reading, writing):
            task.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)


async def _head_of_answer(
    connection: Connection, request: aiohttp.ClientRequest
) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
    assert connection.protocol is not None
    try:
        message, content = await connection.protocol.read()
        while message.code in _INFORMATIVE:
            message, content = await connection.protocol.read()
    except HttpProcessingError as error:
        raise aiohttp.ClientResponseError(
            request.request_info, (), status=error.code, message=error.message
        ) from error
    return message, content


async def _beginning(content: aiohttp.StreamReader, longest_bytes: int, until: float) -> bytes:
    """Return what can be read of a body: the status is known, and counts."""
    body = b""
    try:
        async with asyncio.timeout_at(until):
            async for chunk in content.iter_any():
                body += chunk
                if len(body) > longest_bytes:
                    break
    except (aiohttp.ClientError, OSError, ValueError):
        pass
    return body
