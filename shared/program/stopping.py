"""What a signal does once a program has begun to stop: it ends the process at once.

An exception that is raised wherever the program happens to be leaves tracebacks of what it broke
into, such as a pool that closes. All that is kept is written whole or not at all, so nothing needs
to be closed.
"""

from __future__ import annotations

import atexit
import os
import signal
from types import FrameType
from typing import Final, NoReturn

from shared.errors import EXIT_STOPPED_FOR_NOW

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_STANDARD_ERROR: Final = 2
_SHOW_CURSOR: Final = "\x1b[?25h"


def next_one_ends(program: str, line: str = "stopped; run the same command again to go on") -> None:
    """Let the next signal end the process with ``line`` and exit code 75, whatever it does then.

    This stays so to the end of the process.
    """
    started_by = os.getpid()

    def end(_: int, __: FrameType | None) -> NoReturn:
        # What was forked from the process has nothing to say.
        if os.getpid() == started_by:
            # A live view hides the cursor, and will not have the time to show it again.
            shown = _SHOW_CURSOR if os.isatty(_STANDARD_ERROR) else ""
            os.write(_STANDARD_ERROR, f"{shown}{program}: {line}\n".encode())
        os._exit(EXIT_STOPPED_FOR_NOW)

    for number in SIGNALS:
        signal.signal(number, end)
    # While the interpreter is taken down no handler runs any more, and there is nothing to stop.
    atexit.register(_ignore)


def interrupt_once(program: str) -> None:
    """Let the first signal raise ``KeyboardInterrupt``, and the second end the process at once."""

    def first(_: int, __: FrameType | None) -> NoReturn:
        next_one_ends(program)
        raise KeyboardInterrupt

    for number in SIGNALS:
        signal.signal(number, first)


def _ignore() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
