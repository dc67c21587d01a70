"""The status page: read-only aiohttp routes on this machine, open while a run works."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from aiohttp import web

from shared.errors import InputError

StatusReader = Callable[[], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Address:
    """Where the status page listens."""

    host: str
    port: int


def parse_address(text: str) -> Address:
    """Return the address in ``HOST:PORT``.

    Raises:
        InputError: not an address, or one that other machines can reach.
    """
    host, colon, port = text.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not colon or not port.isdecimal() or int(port) > 65_535:  # noqa: PLR2004
        raise InputError(f"--status {text!r}: give HOST:PORT, such as 127.0.0.1:8765")
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise InputError(
            f"--status {text!r}: the page has no password, so it stays on this machine; "
            "use 127.0.0.1 and an SSH tunnel"
        )
    return Address(host, int(port))


@asynccontextmanager
async def served(address: Address, read_status: StatusReader) -> AsyncIterator[Address]:
    """Serve the status page for the time of the block; yields where (port 0 picks one).

    Raises:
        InputError: the port is taken.
    """
    runner = web.AppRunner(_application(read_status), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address.host, address.port)
        try:
            await site.start()
        except OSError as error:
            raise InputError(
                f"--status {address.host}:{address.port}: cannot listen there ({error.strerror})"
            ) from error
        yield Address(address.host, int(runner.addresses[0][1]))
    finally:
        await runner.cleanup()


def _application(read_status: StatusReader) -> web.Application:
    def file(name: str, content_type: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        text = files("curator.statuspage").joinpath(name).read_text(encoding="utf-8")

        async def send(_: web.Request) -> web.Response:
            return web.Response(text=text, content_type=content_type)

        return send

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def status(_: web.Request) -> web.Response:
        return web.json_response(await read_status())

    application = web.Application()
    application.add_routes(
        [
            web.get("/", file("page.html", "text/html")),
            web.get("/page.css", file("page.css", "text/css")),
            web.get("/page.js", file("page.js", "text/javascript")),
            web.get("/healthz", health),
            web.get("/api/status", status),
        ]
    )
    return application
