"""When a request leaves is told by what sends it, over a real connection."""

from __future__ import annotations

import asyncio
import time

import aiohttp
from aiohttp import web

from curator.annotators.departures import Departure, departure_trace, told_of


async def test_a_request_leaves_once_it_has_its_connection():
    arrived: list[float] = []

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        arrived.append(time.monotonic())
        await asyncio.sleep(0.2)
        return web.Response(text="ok")

    application = web.Application()
    application.router.add_post("/", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    told: dict[str, list[tuple[str, float]]] = {"first": [], "second": []}

    async def ask(session: aiohttp.ClientSession, name: str) -> None:
        departure = Departure(
            lambda: told[name].append(("waits", time.monotonic())),
            lambda: told[name].append(("left", time.monotonic())),
        )
        with told_of(departure):
            async with session.post(url, data=b"x" * 50_000) as response:
                assert await response.text() == "ok"

    connector = aiohttp.TCPConnector(limit=1)
    traces = [departure_trace()]
    async with aiohttp.ClientSession(connector=connector, trace_configs=traces) as session:
        await asyncio.gather(ask(session, "first"), ask(session, "second"))
    await runner.cleanup()
    for name, reached in zip(told, arrived, strict=True):
        kinds = [kind for kind, _ in told[name]]
        assert kinds[0] == "waits"
        assert set(kinds[1:]) == {"left"}
        # It may be told a moment after the server's handler has the last byte.
        assert abs(told[name][-1][1] - reached) < 0.15
    # The second had to wait for the first one's connection.
    assert told["second"][-1][1] - told["second"][0][1] > 0.15
