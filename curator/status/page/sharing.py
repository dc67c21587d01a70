"""One making for all who ask at the same time: what hundreds look at is put together once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Shared(Generic[Made]):
    """Makes something for those who ask; whoever asks before a making has begun gets the same.

    Nobody gets what is older than the question, and one making goes on at a time.
    """

    def __init__(self, make: Callable[[], Awaitable[Made]]) -> None:
        self._make = make
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[Made] | None = None

    async def get(self) -> Made:
        """Return what is made from now on; raise what making it raises."""
        if self._next is None:
            self._next = asyncio.create_task(self._made())
            # Perhaps all who asked are gone when it fails.
            self._next.add_done_callback(_heed)
        return await asyncio.shield(self._next)

    async def _made(self) -> Made:
        async with self._turn:
            self._next = None
            return await self._make()


def _heed(task: asyncio.Task[Made]) -> None:
    if not task.cancelled():
        task.exception()
