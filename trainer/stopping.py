"""The one way to stop a run in good order: the step in progress is finished and saved."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from shared.program.stopping import SIGNALS, next_one_ends


class StopSignal:
    """Set once, with the reason; looked at between two steps."""

    def __init__(self) -> None:
        self.reason = ""

    @property
    def requested(self) -> bool:
        """Whether the run is to stop."""
        return bool(self.reason)

    def request(self, reason: str) -> None:
        """Ask the run to stop; the first reason is kept."""
        self.reason = self.reason or reason


@contextlib.contextmanager
def stop_on_signals(stop: StopSignal) -> Iterator[None]:
    """Turn the first SIGTERM or SIGINT into a stop; a second one ends the process at once."""
    before = {one: signal.getsignal(one) for one in SIGNALS}

    def first(number: int, _: FrameType | None) -> None:
        next_one_ends("trainer")
        stop.request(f"stopped by {signal.Signals(number).name}")

    for one in SIGNALS:
        signal.signal(one, first)
    try:
        yield
    finally:
        for one, handler in before.items():
            if signal.getsignal(one) is first:
                signal.signal(one, handler)
