"""The only module that reads the time or sleeps; everything else is handed a ``Clock``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol


class Clock(Protocol):
    """A source of time that tests can replace."""

    def now(self) -> float:
        """Return seconds since the epoch, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds`` of this clock; at once when not positive."""
        ...


def _counting_while_asleep() -> int | None:
    """Return the clock that goes on while the machine sleeps; ``None`` where all of them do.

    That is another one on Linux and on macOS, and Windows has none of the two. A kernel may lack
    what its Python names.
    """
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"):
        number: int | None = getattr(time, name, None)
        if number is not None:
            with suppress(OSError):
                time.clock_gettime(number)
                return number
    return None


_PASSING: Final = _counting_while_asleep()


def time_passed() -> float:
    """Return seconds that only ever grow, also while the machine sleeps."""
    return time.monotonic() if _PASSING is None else time.clock_gettime(_PASSING)


class SystemClock:
    """The machine's clock when this one was made, and the time that passed since.

    Whoever sets the machine's clock meanwhile, as a time server does, makes no minute or day
    shorter or longer: what a service counts goes by its own clock, which nobody set.
    """

    def __init__(
        self,
        machines: Callable[[], float] = time.time,
        passed: Callable[[], float] = time_passed,
    ) -> None:
        """Begin with the time that ``machines`` tells; ``passed`` is seconds since whenever."""
        self._machines, self._passed = machines, passed
        self._offset = machines() - passed()

    def now(self) -> float:
        """Return seconds since the epoch, UTC."""
        return self._offset + self._passed()

    def was_set_by_s(self) -> float:
        """Return how far the machine's clock was set ahead, negative where it was set back."""
        return self._machines() - self.now()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the running event loop."""
        await asyncio.sleep(max(0.0, seconds))


def processor_stopwatch() -> float:
    """Return seconds that processors spent on this process, whatever else they had to do."""
    return time.process_time()


def stopwatch() -> float:
    """Return monotonic seconds, for measuring how long something took."""
    return time.perf_counter()
