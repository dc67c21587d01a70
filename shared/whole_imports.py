"""Lets an interrupted import of torch or numpy end first, where the process goes on afterwards.

Half imported, neither can be imported again: in a notebook whose first call was interrupted, every
further one would fail over a module that is "partially initialized".
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from importlib.abc import Loader
from types import ModuleType
from typing import Final

from shared.import_watch import watch_for

_NAMES: Final = ("numpy", "torch")
_LATER_S: Final = 0.05
"""Raised within the import, the interrupt would have Python forget the module."""


def watch_for_interrupts() -> None:
    """Have both loaded so, from now on in this process."""
    for name in _NAMES:
        watch_for(name, _load)


def _load(own: Loader, module: ModuleType) -> None:
    is_main = threading.current_thread() is threading.main_thread()
    # Programs of ours have a handler of their own, and end.
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        own.exec_module(module)
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        own.exec_module(module)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if came:
            later = threading.Timer(_LATER_S, _interrupt)
            later.daemon = True
            later.start()


def _interrupt() -> None:
    """Interrupt the main thread, in the middle of a system call too where a signal can be sent."""
    main = threading.main_thread().ident
    if sys.platform == "win32" or main is None:
        _thread.interrupt_main()
    else:
        signal.pthread_kill(main, signal.SIGINT)
