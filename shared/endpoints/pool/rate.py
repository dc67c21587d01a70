"""A plain rate: so many requests a minute, whatever the keys and whatever is counted elsewhere.

That is what a server of one's own wants, which meters nobody. What a service meters is
``usage``'s: by when requests arrive, with their tokens and the day's, kept for the next start.
``docs/design.md`` tells what a plain rate lets through.
"""

from __future__ import annotations

import math

from asyncio_throttle import Throttler

from shared.endpoints.pool.usage import BURSTS_A_MINUTE
from shared.program.async_stopping import AsyncStopSignal
from shared.program.durations import MINUTE_S


class PlainRate:
    """Lets requests go in bursts of a tenth of a minute's, evenly spread."""

    def __init__(self, requests_per_minute: int, minute_s: float = MINUTE_S) -> None:
        """Let go ``requests_per_minute``; a minute is as long as ``minute_s`` says."""
        burst = math.ceil(requests_per_minute / BURSTS_A_MINUTE)
        self._throttler = Throttler(burst, period=minute_s * burst / requests_per_minute)

    async def admit(self, stop: AsyncStopSignal) -> None:
        """Return once a request may go.

        Raises:
            StopRequested: the run is to stop, now or while waiting.
        """
        await stop.wait_for(self._throttler.acquire())
