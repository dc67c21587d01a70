"""The HTTP server: hands requests to the judge and delivers its rulings."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from curator.rehearsal.answers.replying import Delivery, Ruling, malformed
from curator.rehearsal.inbound import ServiceTier
from curator.rehearsal.judge import Judge
from curator.rehearsal.key_ring import RehearsedKey
from curator.rehearsal.tally import RehearsalTally
from shared.errors import InputError
from shared.program.clock import Clock
from shared.program.reporting.event_log import EventLog

STATS_PATH: Final = "/rehearsal/stats"
TIER_HEADER: Final = "x-gemini-service-tier"
LARGEST_BODY: Final = 20 * 1024 * 1024
"""Bytes; Google's limit for a request with inline data."""
_SHUTDOWN_S: Final = 2.0
log = EventLog(__name__)


@dataclass(frozen=True, slots=True)
class Latency:
    """How long a reply takes in seconds: ``mean_s``, give or take ``jitter_s``.

    ``slow_s`` is what the fault "slow" adds.
    """

    mean_s: float = 0.0
    jitter_s: float = 0.0
    slow_s: float = 30.0

    def draw(self, die: random.Random) -> float:
        """Return the seconds of one reply."""
        return max(0.0, self.mean_s + self.jitter_s * die.uniform(-1.0, 1.0))


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came: its path, its headers by name in lower case, and its body."""

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class RehearsalServer:
    """A server on this machine that cannot be told from Gemini by its replies."""

    def __init__(
        self,
        *,
        judge: Judge,
        latency: Latency,
        flex_latency: Latency,
        die: random.Random,
        clock: Clock,
        record: Callable[[Received], None] | None = None,
    ) -> None:
        """Deliver what ``judge`` rules; the flex tier takes ``flex_latency``.

        Each request is handed to ``record``, whatever becomes of it.
        """
        self._record = record
        self._judge = judge
        self._flex_latency = flex_latency
        self._latency = latency
        self._die = die
        self._clock = clock
        self._tally = RehearsalTally(clock.now())

    def stats(self) -> dict[str, Any]:
        """Return the figures of ``/rehearsal/stats``."""
        return self._tally.report(self._clock.now())

    @asynccontextmanager
    async def serving(self, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Listen while the block runs, and yield the base URL; port 0 is any free one.

        Raises:
            InputError: the address is taken or not one of this machine.
        """
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, host, port).start()
            except OSError as error:
                raise InputError(
                    f"--host {host} --port {port}: cannot listen there ({error.strerror}); "
                    "--port 0 takes a free port"
                ) from error
            shown = f"[{host}]" if ":" in host else host
            yield f"http://{shown}:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=LARGEST_BODY)
        path = "/{version:v1|v1beta}/models/{model}:generateContent"
        application.router.add_post(path, self._generate_content)
        application.router.add_get("/{version:v1|v1beta}/models/{model}", self._look_up)
        application.router.add_get(STATS_PATH, self._stats)
        return application

    async def _stats(self, _: web.Request) -> web.Response:
        return web.json_response(self.stats())

    async def _look_up(self, request: web.Request) -> web.Response:
        key = self._judge.key(request.headers.get("x-goog-api-key", ""))
        earlier = self._tally.looked_up(key.label)
        reply = self._judge.look_up(
            key, earlier, version=request.match_info["version"], model=request.match_info["model"]
        )
        return web.json_response(reply.body, status=reply.status)

    async def _generate_content(self, request: web.Request) -> web.Response:
        key = self._judge.key(request.headers.get("x-goog-api-key", ""))
        model = request.match_info["model"]
        earlier = self._tally.arrived(key.label, key.project, model, self._clock.now())
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            message = f"Request payload size exceeds the limit: {LARGEST_BODY} bytes."
            ruling = malformed(message)
        else:
            if self._record is not None:
                headers = {name.lower(): value for name, value in request.headers.items()}
                self._record(Received(request.path, headers, body))
            version = request.match_info["version"]
            ruling = await self._judge.judge(key, earlier, version=version, model=model, body=body)
        is_flex = ruling.served_tier is ServiceTier.FLEX
        delay_s = (self._flex_latency if is_flex else self._latency).draw(self._die)
        if ruling.delivery is Delivery.SLOW:
            delay_s += self._latency.slow_s
        if delay_s > 0:
            await self._clock.sleep(delay_s)
        return self._deliver(request, key, model, ruling)

    def _deliver(
        self, request: web.Request, key: RehearsedKey, model: str, ruling: Ruling
    ) -> web.Response:
        body = json.dumps(ruling.reply.body, ensure_ascii=False).encode(errors="replace")
        if request.transport is None or request.transport.is_closing():
            self._tally.client_gone(key)
        elif ruling.delivery is Delivery.DROPPED:
            request.transport.abort()
            self._tally.sent(key, model, ruling, status=0)
        else:
            self._tally.sent(key, model, ruling, status=ruling.reply.status)
        if ruling.delivery is Delivery.CUT:
            body = body[: len(body) // 2]
        log.debug(
            "rehearsal_reply",
            key_label=key.label,
            outcome=ruling.outcome,
            status=ruling.reply.status,
        )
        tier = ruling.served_tier
        return web.Response(
            status=ruling.reply.status,
            body=body,
            headers={} if tier is None else {TIER_HEADER: tier},
            content_type="application/json",
            charset="UTF-8",
        )
