"""The HTTP server: opens its doors on an address, and tells the figures of the rehearsal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

from curator.rehearsal.batches.job_book import JobBook
from curator.rehearsal.doors.door import LARGEST_BODY
from curator.rehearsal.tally import RehearsalTally
from shared.program.clock import Clock
from shared.web.listening import cannot_listen

STATS_PATH: Final = "/rehearsal/stats"
_SHUTDOWN_S: Final = 2.0


class RehearsalServer:
    """A server on this machine that cannot be told from Gemini by its replies."""

    def __init__(
        self,
        *,
        routes: Iterable[web.RouteDef],
        tally: RehearsalTally,
        jobs: JobBook,
        clock: Clock,
    ) -> None:
        """Answer as ``routes`` do, and tell what ``tally`` and ``jobs`` have counted."""
        self._routes = list(routes)
        self._tally = tally
        self._jobs = jobs
        self._clock = clock

    def stats(self) -> dict[str, Any]:
        """Return the figures of ``/rehearsal/stats``."""
        return self._tally.report(self._clock.now()) | {"batch": self._jobs.report()}

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
                raise cannot_listen("--listen", host, port, error) from error
            shown = f"[{host}]" if ":" in host else host
            yield f"http://{shown}:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=LARGEST_BODY)
        application.router.add_routes(self._routes)
        application.router.add_get(STATS_PATH, self._stats)
        return application

    async def _stats(self, _: web.Request) -> web.Response:
        await self._jobs.settle()
        return web.json_response(self.stats())
