"""Listens for the time of a block, so that whoever reaches the port can do no harm with it.

So many connections at most are open, and further ones get a 503; a connection on which no request
comes, or whose reply nobody reads, is cut; what is no HTTP is counted, in a line every ten minutes
at most.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from aiohttp import http_exceptions, web
from aiohttp.log import server_logger

from shared.errors import InputError
from shared.program.clock import SystemClock, stopwatch
from shared.program.process.background import beside
from shared.program.reporting.event_log import EventLog
from shared.web.access import Address

MOST_CONNECTIONS: Final = 256
"""A browser opens six."""
PATIENCE_S: Final = 30.0
"""For a request to come whole, but for its body, and for a reply to be read on."""
LINGERING_S: Final = 2.0
"""For the rest of a body that was refused, so that its client reads why. aiohttp waits it out even
where the client is gone, and with its own 10 s a server took that long to end."""
_TOLD_EVERY_S: Final = 600.0
_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 34\r\n\r\ntoo many connections; come back in\n"
)

_CLIENTS_FAULT: Final = (
    http_exceptions.HttpProcessingError,
    web.RequestPayloadError,
    ConnectionError,
)

log = EventLog(__name__)


@asynccontextmanager
async def listening(
    application: web.Application, address: Address, option: str
) -> AsyncIterator[Address]:
    """Serve for the time of the block, then finish what is in flight; yields where (port 0: any).

    Raises:
        InputError: the port is taken, or the host is none of this machine's.
    """
    noise = _Noise()
    runner = web.AppRunner(
        application,
        access_log=None,
        keepalive_timeout=PATIENCE_S,
        lingering_time=LINGERING_S,
    )
    await runner.setup()
    server_logger.addFilter(noise)
    try:
        listener = await _listener(_limited(runner), address, option)
        try:
            async with beside(_cut_unread(runner), "slow_clients"):
                yield replace(address, port=int(listener.sockets[0].getsockname()[1]))
        finally:
            listener.close()
    finally:
        await runner.cleanup()
        server_logger.removeFilter(noise)
        noise.tell()


async def require_free_address(address: Address, option: str) -> None:
    """Check that one could listen at an address now, before what takes long.

    Raises:
        InputError: as ``listening``.
    """
    loop = asyncio.get_running_loop()
    try:
        # It is bound, and nobody can connect.
        bound = await loop.create_server(
            asyncio.Protocol, address.host, address.port, start_serving=False
        )
    except OSError as error:
        raise cannot_listen(option, address.host, address.port, error) from error
    bound.close()


async def _listener(
    protocol: Callable[[], asyncio.Protocol], address: Address, option: str
) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(protocol, address.host, address.port)
    except OSError as error:
        raise cannot_listen(option, address.host, address.port, error) from error


def cannot_listen(option: str, host: str, port: int, error: OSError) -> InputError:
    """Return what to say of an address that is taken, or none of this machine."""
    taken = error.errno == errno.EADDRINUSE
    reason = "another program listens there" if taken else error.strerror or str(error)
    return InputError(
        f"{option} {host}:{port}: cannot listen there ({reason}); 127.0.0.1:0 is any free port of "
        "this machine"
    )


def _limited(runner: web.AppRunner) -> Callable[[], asyncio.Protocol]:
    """Return what makes the protocol of each new connection."""
    server = runner.server
    assert server is not None

    def protocol() -> asyncio.Protocol:
        return server() if len(server.connections) < MOST_CONNECTIONS else _Full()

    return protocol


class _Full(asyncio.Protocol):
    """Turns a connection away before anything of it is read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(_FULL)
        transport.close()


async def _cut_unread(runner: web.AppRunner) -> None:
    """Cut connections whose client has read nothing of what waits for it for a while."""
    server = runner.server
    assert server is not None
    unread: dict[asyncio.Transport, int] = {}
    while True:
        await SystemClock().sleep(PATIENCE_S)
        transports = [each.transport for each in server.connections if each.transport]
        now = {each: size for each in transports if (size := each.get_write_buffer_size())}
        for transport, size in now.items():
            if unread.get(transport) == size:
                transport.abort()
        unread = now


class _Noise(logging.Filter):
    """Counts what reaches the port and is no HTTP, or ends in the middle of it."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0
        self._latest = ""
        self._told_at: float | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be told."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, _CLIENTS_FAULT):
            return True
        self._count += 1
        self._latest = type(error).__name__
        if self._told_at is None or stopwatch() - self._told_at > _TOLD_EVERY_S:
            self.tell()
        return False

    def tell(self) -> None:
        """Tell how many there were since the last time, if there were any."""
        if self._count:
            log.warning("no_http_requests", count=self._count, latest=self._latest)
            self._count, self._told_at = 0, stopwatch()
