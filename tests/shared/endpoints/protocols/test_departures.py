"""When a request leaves is told by what sends it, over a real connection."""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from curator.prompts.prompt import Prompt
from shared.endpoints.keys.key import Key
from shared.endpoints.protocols.departures import Departure, told_of
from shared.endpoints.protocols.gemini import Gemini

KEY = Key("a", "p", "AIzaSyNoKeyAtAll")


async def test_a_request_leaves_once_it_has_its_connection():
    arrived: list[float] = []

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        arrived.append(time.monotonic())
        await asyncio.sleep(0.2)
        return web.json_response({"candidates": [{"finishReason": "STOP"}]})

    application = web.Application()
    application.router.add_post("/v1beta/models/m:generateContent", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    told: dict[str, list[tuple[str, float]]] = {"first": [], "second": []}
    request = Prompt(3, 1).request({}, b"x" * 50_000, 256)

    async def ask(gemini: Gemini, name: str) -> None:
        departure = Departure(
            lambda: told[name].append(("waits", time.monotonic())),
            lambda: told[name].append(("left", time.monotonic())),
        )
        with told_of(departure):
            assert (await gemini.generate(request, KEY, "m")).ending == "STOP"

    async with Gemini.connected(connections=1, base_url=url) as gemini:
        await asyncio.gather(ask(gemini, "first"), ask(gemini, "second"))
    await runner.cleanup()
    for name, reached in zip(told, arrived, strict=True):
        assert [kind for kind, _ in told[name]] == ["waits", "left"]
        # It may be told a moment after the server's handler has the last byte.
        assert abs(told[name][-1][1] - reached) < 0.15
    # The second had to wait for the first one's connection.
    assert told["second"][-1][1] - told["second"][0][1] > 0.15
