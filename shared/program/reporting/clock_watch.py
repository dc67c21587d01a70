"""Says in a line of the log when the machine's clock was set while a program works."""

from __future__ import annotations

from typing import Final

from shared.program.clock import Clock, SystemClock
from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)

HEEDED_S: Final = 5.0
"""What a time server corrects now and then is less."""


class ClockWatch:
    """Looked at now and then; of another clock than the machine's there is nothing to say."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock if isinstance(clock, SystemClock) else None
        self._told_s = 0.0

    def look(self) -> None:
        """Warn where the clock was set since the last look."""
        if self._clock is None:
            return
        by_s = self._clock.was_set_by_s()
        if abs(by_s - self._told_s) >= HEEDED_S:
            self._told_s = by_s
            log.warning(
                "clock_was_set",
                by_s=round(by_s),
                became="this run goes on by the time that passes; the next one takes the new time",
            )
