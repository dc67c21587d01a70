"""Stops what runs in asyncio in good order: whoever waits, waits on this too."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from types import FrameType
from typing import Any, Final

from shared.program.clock import Clock
from shared.program.stopping import (
    GOES_ON,
    SIGNALS,
    interrupt_once,
    next_one_ends,
    reason_of,
)

ENDED_AT_ONCE: Final = "ended at once"
"""What a server leaves behind at the second signal: there is nothing to go on with."""


class StopRequested(Exception):
    """A wait was cut short because the run is to stop; never leaves the curator."""


class AsyncStopSignal:
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
        events = [] if wake is None else [wake.wait()]
        await self._first_of(clock.sleep(seconds), *events)

    async def wait(self, wake: asyncio.Event) -> None:
        """Wait until ``wake`` is set.

        Raises:
            StopRequested: the run is to stop, now or while waiting.
        """
        await self._first_of(wake.wait())

    async def wait_for(self, turn: Coroutine[Any, Any, object]) -> None:
        """Wait until ``turn`` returns; raises what it raises.

        Raises:
            StopRequested: the run is to stop, now or while waiting.
        """
        taken = asyncio.ensure_future(turn)
        await self._first_of(taken)
        taken.result()

    async def until_requested(self) -> None:
        """Wait until the run is to stop."""
        await self._event.wait()

    async def _first_of(self, *waited_for: Awaitable[object]) -> None:
        waits = [asyncio.ensure_future(each) for each in (*waited_for, self._event.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        if self.requested:
            raise StopRequested


@contextlib.contextmanager
def stop_on_signals(
    stop: AsyncStopSignal,
    program: str,
    at_once: str = GOES_ON,
    on_first: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Turn the first SIGTERM or SIGINT into a stop; a second one ends the process at once.

    Args:
        stop: is requested.
        program: its name, which begins the line that the second signal leaves.
        at_once: the rest of that line.
        on_first: is called at the first signal.
    """
    if threading.current_thread() is not threading.main_thread():
        # No signal reaches another thread; whoever started it requests the stop.
        yield
        return
    loop = asyncio.get_running_loop()

    def first(received: signal.Signals) -> None:
        for number in SIGNALS:
            _forget(loop, number)
        next_one_ends(program, at_once)
        stop.request(reason_of(received))
        on_first()

    for number in SIGNALS:
        _handle(loop, number, first)
    try:
        yield
    finally:
        # What was there before is not put back: in asyncio.run that may be a handler of its own,
        # which would stay for good where the block ends after it, as when the loop is closed over a
        # running task.
        was_asked = [not _forget(loop, number) for number in SIGNALS]
        if not all(was_asked):
            interrupt_once(program)


def _handle(
    loop: asyncio.AbstractEventLoop,
    number: signal.Signals,
    handler: Callable[[signal.Signals], None],
) -> None:
    """Let ``loop`` call ``handler`` when the signal comes."""
    try:
        loop.add_signal_handler(number, handler, number)
    except NotImplementedError:  # Windows, whose loops know no signals

        def handed_on(_: int, __: FrameType | None) -> None:
            loop.call_soon_threadsafe(handler, number)

        signal.signal(number, handed_on)


def _forget(loop: asyncio.AbstractEventLoop, number: signal.Signals) -> bool:
    """Let the signal be nothing to ``loop``; return whether it was something."""
    try:
        return loop.remove_signal_handler(number)
    except NotImplementedError:
        was_there = getattr(signal.getsignal(number), "__name__", "") == "handed_on"
        if was_there:
            signal.signal(number, signal.SIG_DFL)
        return was_there
