"""The one way to stop a run in good order: whoever waits, waits on this too."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.program.clock import Clock
from shared.program.event_log import EventLog
from shared.program.signals import SIGNALS, next_one_ends

# What was there before is not put back: within asyncio.run that is a handler of its own, which
# would stay for good where the block ends after it, as when the loop is closed over a running task.
_DEFAULTS: Final[Mapping[signal.Signals, Any]] = {
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
}


log = EventLog("shared.program.stopping")


class StopRequested(Exception):
    """A wait was cut short because the run is to stop; never leaves the curator."""


class StopSignal:
    """Set once, with the reason; what is in flight is finished, nothing new is begun."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.reason = ""

    @property
    def requested(self) -> bool:
        """Whether the run is to stop."""
        return self._event.is_set()

    def request(self, reason: str) -> None:
        """Ask the run to stop; the first reason is kept."""
        if not self.requested:
            self.reason = reason
            self._event.set()

    async def sleep(self, clock: Clock, seconds: float, wake: asyncio.Event | None = None) -> None:
        """Sleep on ``clock``, or until ``wake`` is set.

        Raises:
            StopRequested: the run is to stop, now or while sleeping.
        """
        events = [self._event, *([wake] if wake else [])]
        waits = [asyncio.ensure_future(clock.sleep(seconds))]
        waits += [asyncio.ensure_future(_reached(event)) for event in events]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        if self.requested:
            raise StopRequested

    async def wait(self, wake: asyncio.Event) -> None:
        """Wait until ``wake`` is set.

        Raises:
            StopRequested: the run is to stop, now or while waiting.
        """
        waits = [asyncio.ensure_future(_reached(event)) for event in (self._event, wake)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        if self.requested:
            raise StopRequested


async def _reached(event: asyncio.Event) -> None:
    await event.wait()


@contextlib.contextmanager
def stop_on_signals(stop: StopSignal) -> Iterator[None]:
    """Turn the first SIGTERM or SIGINT into a stop; a second one ends the work at once."""
    loop = asyncio.get_running_loop()

    def first(received: signal.Signals) -> None:
        for one in SIGNALS:
            loop.remove_signal_handler(one)
        next_one_ends("curator")
        stop.request(f"stopped by {received.name}")
        log.warning("finishing_what_is_in_flight", again="a second signal ends the run at once")

    for one in SIGNALS:
        loop.add_signal_handler(one, first, one)
    try:
        yield
    finally:
        for one in SIGNALS:
            if loop.remove_signal_handler(one):
                signal.signal(one, _DEFAULTS[one])
