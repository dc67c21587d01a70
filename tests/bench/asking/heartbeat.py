"""Runs a Python program and notes when its event loop stood still.

``python -P heartbeat.py OUT ...``: the rest is a command line as Python's own, ``-m MODULE`` or a
file, and its words. Each event loop that the program makes beats from its start, through asyncio's
own policy; a beat that comes late shows how long nothing else got its turn either. It must not
import the project: what it runs may be another build, or none. Without ``-P``, its neighbours here
would stand in the place of other modules.
"""

from __future__ import annotations

import asyncio
import json
import runpy
import sys
import time
from pathlib import Path

BEAT_S = 0.005
NOTED_S = 0.02
"""Of beats that come so late at least, the moment and the lateness are written down."""

Stall = tuple[float, float, float]
"""When it was over, on the machine's monotonic clock, how long it was, and how much of that the
program can have taken at most, by its CPU time: the rest is other programs' work; seconds."""


class BeatingPolicy(asyncio.DefaultEventLoopPolicy):
    """Gives every new loop a beat; what is noted goes into ``stalls``."""

    def __init__(self, stalls: list[Stall]) -> None:
        super().__init__()
        self._stalls = stalls

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Return a loop that beats."""
        loop = super().new_event_loop()
        due, used_s = loop.time() + BEAT_S, time.process_time()

        def beat() -> None:
            nonlocal due, used_s
            now, used_before_s = loop.time(), used_s
            used_s = time.process_time()
            if (late_s := now - due) >= NOTED_S:
                self._stalls.append((now, late_s, min(late_s, used_s - used_before_s)))
            due = now + BEAT_S
            loop.call_at(due, beat)

        loop.call_at(due, beat)
        return loop


def main() -> None:
    """Run the program to its end, then write what was noted."""
    out, *words = sys.argv[1:]
    stalls: list[Stall] = []
    asyncio.set_event_loop_policy(BeatingPolicy(stalls))
    try:
        if words[0] == "-m":
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = words
            runpy.run_path(words[0], run_name="__main__")
    finally:
        Path(out).write_text(json.dumps(stalls), encoding="utf-8")


if __name__ == "__main__":
    main()
