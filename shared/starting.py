"""A signal while a program of ours still imports ends it with one line, not with a traceback.

It has begun nothing then. From ``run_program`` on, ``shared.program.stopping`` has the signals.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Final, NoReturn

from shared.errors import EXIT_STOPPED_FOR_NOW

_PROGRAMS: Final = frozenset({"curator", "trainer", "evaluator"})
_STANDARD_ERROR: Final = 2


def end_at_once_while_starting() -> None:
    """Take the signals, if the process is one of our programs and not a library's user."""
    name = _program(sys.argv[0] if sys.argv else "")
    # What a program of ours spawned has its arguments, and answers signals as who spawned it wants.
    if name not in _PROGRAMS or "multiprocessing" in sys.modules:
        return
    started_by = os.getpid()

    def end(_: int, __: FrameType | None) -> NoReturn:
        if os.getpid() == started_by:
            os.write(_STANDARD_ERROR, f"{name}: stopped before it began anything\n".encode())
        os._exit(EXIT_STOPPED_FOR_NOW)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)


def _program(started: str) -> str:
    """Return the name of the program that the path ``started`` is of.

    >>> _program("/opt/bin/curator"), _program("/src/trainer/__main__.py")
    ('curator', 'trainer')
    """
    folder, file = os.path.split(started)
    name = file.partition(".")[0]
    return os.path.split(folder)[1] if name == "__main__" else name
