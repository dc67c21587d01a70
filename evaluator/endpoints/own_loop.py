"""An event loop for whoever asks, also where this thread runs one already, as a notebook does."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

from shared.program.async_stopping import AsyncStopSignal

Came = TypeVar("Came")


class OwnLoop:
    """Runs one coroutine after the other on one loop; it has to be closed.

    In a notebook that loop has a thread of its own, which no signal reaches: an interrupted kernel
    requests ``stop``, and what is in flight is waited for.
    """

    def __init__(self, stop: AsyncStopSignal) -> None:
        self._stop = stop
        self._runner = asyncio.Runner()
        self._thread = ThreadPoolExecutor(1, "asking") if _is_taken() else None

    def run(self, work: Coroutine[Any, Any, Came]) -> Came:
        """Return what ``work`` returns; raises what it raises."""
        if self._thread is None:
            return self._runner.run(work)
        running = self._thread.submit(self._runner.run, work)
        try:
            return running.result()
        except KeyboardInterrupt:
            self._runner.get_loop().call_soon_threadsafe(self._stop.request, "interrupted")
            return running.result()

    def close(self) -> None:
        """End the loop, and the thread if it has one."""
        if self._thread is None:
            self._runner.close()
            return
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _is_taken() -> bool:
    """Return whether a loop runs in this thread, so that no other can."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
