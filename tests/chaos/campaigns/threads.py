"""Whether other threads of this process are at work, however little of a core they get."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

_TASKS: Final = Path("/proc/self/task")
"""Linux alone; elsewhere nothing is known of other threads."""


def other_threads() -> dict[str, tuple[bool, int]]:
    """Return of each other thread whether it runs or wants to, and the nanoseconds it has run.

    One that wants to run waits for a core or a disk. Source: the kernel's
    Documentation/scheduler/sched-stats.rst, and "state" in Documentation/filesystems/proc.rst.
    """
    own, seen = str(threading.get_native_id()), {}
    for task in _TASKS.iterdir() if _TASKS.is_dir() else ():
        # A thread may end while it is looked at.
        with suppress(FileNotFoundError, ProcessLookupError):
            if task.name != own:
                state = (task / "stat").read_text().rpartition(")")[2].split()[0]
                ran_ns = int((task / "schedstat").read_text().split()[0])
                seen[task.name] = state in "RD", ran_ns
    return seen
