"""Work in a thread that a stop reaches: it has ended before what it reads from is closed."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

Made = TypeVar("Made")


class _Stopped(Exception):
    """The work was given up between two steps; nobody hears of it."""


async def in_thread(work: Callable[[Callable[[], None]], Made]) -> Made:
    """Return what ``work`` returns; it calls what it is handed between its steps.

    Where the caller is cancelled, that call raises, and the work undoes what it had begun.
    """
    is_stopped = threading.Event()

    def go_on() -> None:
        if is_stopped.is_set():
            raise _Stopped

    working = asyncio.ensure_future(asyncio.to_thread(work, go_on))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        is_stopped.set()
        with contextlib.suppress(Exception):
            await working
        raise
