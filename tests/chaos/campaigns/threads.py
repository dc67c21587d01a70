"""Whether other threads of this process are at work, however little of a core they get."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

_TASKS: Final = Path("/proc/self/task")
"""Linux alone; elsewhere nothing is known of other threads."""


def worked_ns() -> dict[str, int]:
    """Return the nanoseconds that each other thread has run, by its number.

    Source: the kernel's Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat".
    """
    own = str(threading.get_native_id())
    ran: dict[str, int] = {}
    if not _TASKS.is_dir():
        return ran
    for task in _TASKS.iterdir():
        # A thread may end while it is looked at.
        if task.name != own:
            with suppress(FileNotFoundError, ProcessLookupError):
                ran[task.name] = int((task / "schedstat").read_text().split()[0])
    return ran


def wants_to_run() -> bool:
    """Return whether a thread beside this one runs, or waits for a core or a disk."""
    own = str(threading.get_native_id())
    if not _TASKS.is_dir():
        return False
    for task in _TASKS.iterdir():
        if task.name != own:
            with suppress(FileNotFoundError, ProcessLookupError):
                state = (task / "stat").read_text().rpartition(")")[2].split()[0]
                if state in "RD":
                    return True
    return False
