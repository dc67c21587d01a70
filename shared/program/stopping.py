"""The one way to stop a program: the first signal asks for it, a second ends the process at once.

``run_program`` lets the first one interrupt whatever a command does; where there is more to end in
good order, a command says so by ``stop_on_signals``.

At once means that no exception is raised wherever the program happens to be: that would leave
tracebacks of what it broke into, such as a pool that closes. All that is kept is written whole or
not at all, so nothing needs to be closed; what is ``unfinished`` then is removed. What runs in
asyncio stops by ``async_stopping``.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

from shared.errors import EXIT_STOPPED_FOR_NOW

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
GOES_ON: Final = "stopped; run the same command again to go on"
GOES_ON_WITH_RESUME: Final = "stopped; give the same command with --resume to go on"
"""Of commands that begin anew without it, and refuse to where something would be lost."""
_STANDARD_ERROR: Final = 2
_SHOW_CURSOR: Final = "\x1b[?25h"


_UNFINISHED: Final[set[Path]] = set()
"""Files and folders that are being made: of no use to anybody if the process ends at once."""


@contextlib.contextmanager
def unfinished(path: Path) -> Iterator[None]:
    """Have ``path`` removed if a second signal ends the process at once within the block."""
    _UNFINISHED.add(path)
    try:
        yield
    finally:
        _UNFINISHED.discard(path)


def _remove_unfinished() -> None:
    for path in tuple(_UNFINISHED):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()


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
def stop_on_signals(stop: StopSignal, program: str, line: str = GOES_ON) -> Iterator[None]:
    """Turn the first SIGTERM or SIGINT into a stop; a second one ends the process at once.

    ``line`` is what the second one leaves, after the name of the program. Where Python's own
    handler was in place, as in a notebook, the process goes on after the block: there a second one
    means what it did before.
    """
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def first(number: int, _: FrameType | None) -> None:
        if before[signal.SIGINT] is signal.default_int_handler:
            for each, handler in before.items():
                signal.signal(each, handler)
        else:
            next_one_ends(program, line)
        stop.request(reason_of(signal.Signals(number)))

    for number in SIGNALS:
        signal.signal(number, first)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is first:
                signal.signal(number, handler)


def reason_of(received: signal.Signals) -> str:
    """Return what a run that stopped says of the signal that asked for it."""
    return f"stopped by {received.name}"


def next_one_ends(
    program: str, line: str = GOES_ON, before_end: Callable[[], None] = lambda: None
) -> None:
    """Let the next signal end the process with ``line`` and exit code 75, whatever it does then.

    This stays so to the end of the process. ``before_end`` is called first; it must not wait for
    what the process holds.
    """
    started_by = os.getpid()

    def end(_: int, __: FrameType | None) -> NoReturn:
        # What was forked from the process has nothing to say.
        if os.getpid() != started_by:
            os._exit(EXIT_STOPPED_FOR_NOW)
        end_at_once(program, line, before_end)

    for number in SIGNALS:
        signal.signal(number, end)
    # While the interpreter is taken down no handler runs any more, and there is nothing to stop.
    atexit.register(signals_ignored)


def end_at_once(program: str, line: str, before_end: Callable[[], None] = lambda: None) -> NoReturn:
    """End the process with ``line`` and exit code 75, from any thread, whatever others do.

    See ``next_one_ends`` for ``before_end``.
    """
    before_end()
    _remove_unfinished()
    # A live view hides the cursor, and will not have the time to show it again.
    shown = _SHOW_CURSOR if os.isatty(_STANDARD_ERROR) else ""
    os.write(_STANDARD_ERROR, f"{shown}{program}: {line}\n".encode())
    os._exit(EXIT_STOPPED_FOR_NOW)


def interrupt_once(
    program: str, line: str = GOES_ON, before_end: Callable[[], None] = lambda: None
) -> None:
    """Let the first signal raise ``KeyboardInterrupt``, and the second end the process at once.

    Within asyncio the event loop raises it, and the tasks are cancelled. See ``next_one_ends`` for
    ``line`` and ``before_end``.
    """
    started_by = os.getpid()

    def first(number: int, _: FrameType | None) -> None:
        if os.getpid() != started_by:
            # What was forked from the process ends as if nobody had handled the signal.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        next_one_ends(program, line, before_end)
        loop = _running_loop()
        if loop is None:
            raise KeyboardInterrupt
        # Raised here it would break into the loop, which then loses what it was about to call.
        loop.call_soon_threadsafe(_interrupt)

    for number in SIGNALS:
        signal.signal(number, first)
    atexit.register(signals_ignored)


@contextlib.contextmanager
def own_signals(program: str) -> Iterator[None]:
    """Let SIGTERM mean what it does, although a library handles it in the block, and after it.

    For Ray, whose handler raises ``SystemExit`` with the signal's number.

    Raises:
        KeyboardInterrupt: SIGTERM arrived in the block; the next signal ends the process at once.
    """
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as ended:
        if ended.code != signal.SIGTERM:
            raise
        next_one_ends(program)
        raise KeyboardInterrupt from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Let signals that come meanwhile take effect only after the block, which is to be short.

    For what would be lost half done, such as a program that was started and is not known yet. That
    program has the handlers of any new one.
    """
    held: list[int] = []
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, lambda number, _: held.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for came in held:
            signal.raise_signal(came)


def _running_loop() -> AbstractEventLoop | None:
    # Whoever runs a loop has imported asyncio; it takes as long as all else that `--help` needs.
    # A signal may come while it is imported: then it is there, and knows nothing yet.
    running = getattr(sys.modules.get("asyncio"), "get_running_loop", None)
    if running is None:
        return None
    with contextlib.suppress(RuntimeError):
        loop: AbstractEventLoop = running()
        return loop
    return None


def signals_ignored() -> None:
    """Let no signal end the process any more, which ends by itself."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
