"""Gathers questions that come at the same time into batches for one replica; knows no HTTP."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from evaluator.answering.messages import Reply
from shared.program.clock import stopwatch

WINDOW_S: Final = 0.005
"""How long the first question of a batch waits for company; while the replica works, more come."""
_SMOOTHING: Final = 0.2


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about an image file's content."""

    image: bytes
    question: str


class QueueFull(Exception):
    """As many questions wait as may; ``retry_after_s`` is when they will be answered, about."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many questions wait; come back in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class Batcher:
    """Answers questions by ``answer``, which takes several at once and runs in a thread.

    At most ``capacity`` questions wait, and ``batch_size`` are answered together.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Asked]], Sequence[Reply]],
        *,
        batch_size: int,
        capacity: int,
        window_s: float = WINDOW_S,
    ) -> None:
        self._answer, self._batch_size, self._window_s = answer, batch_size, window_s
        self._waiting: asyncio.Queue[tuple[Asked, asyncio.Future[Reply]]] = asyncio.Queue(capacity)
        self._seconds_each = 0.0
        self.batches = 0

    @property
    def waiting(self) -> int:
        """Return how many questions wait for their batch."""
        return self._waiting.qsize()

    async def ask(self, asked: Asked) -> Reply:
        """Return the reply, once its batch is done.

        Raises:
            QueueFull: as many questions wait as may.
        """
        self.refuse_if_full()
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((asked, future))
        return await future

    def refuse_if_full(self) -> None:
        """Do nothing, unless a question that came now could not wait.

        Raises:
            QueueFull: as many questions wait as may.
        """
        if self._waiting.full():
            raise QueueFull(max(1, math.ceil(self.waiting * self._seconds_each)))

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Answer for the time of the block; whoever still waits at its end must not care."""
        with ThreadPoolExecutor(1, "replica") as thread:
            worker = asyncio.create_task(self._work(thread))
            try:
                yield
            finally:
                worker.cancel()
                await asyncio.gather(worker, return_exceptions=True)

    async def _work(self, thread: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._waiting.get()]
            if self._window_s and self.waiting < self._batch_size - 1:
                await asyncio.sleep(self._window_s)
            while len(batch) < self._batch_size and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            started = stopwatch()
            try:
                replies = await loop.run_in_executor(
                    thread, self._answer, [asked for asked, _ in batch]
                )
            except Exception as error:  # noqa: BLE001 (whatever it is, those who wait are told)
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            self._count(len(batch), stopwatch() - started)
            for (_, future), reply in zip(batch, replies, strict=True):
                if not future.done():
                    future.set_result(reply)

    def _count(self, size: int, seconds: float) -> None:
        self.batches += 1
        each, before = seconds / size, self._seconds_each
        self._seconds_each = before + _SMOOTHING * (each - before) if before else each
