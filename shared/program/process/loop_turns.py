"""Shares out the turns of an event loop among many that are ready at once."""

from __future__ import annotations

import asyncio
from collections import deque


class LoopTurns:
    """Lets so many go on in one turn of the loop, and the others in the next ones, in order.

    Where hundreds of replies come at the same moment, all that happens to each would else happen in
    a single turn: nothing else gets its own for a tenth of a second, and the first to be done with
    wait for the last.
    """

    def __init__(self, most: int) -> None:
        """Let ``most`` go on in each turn."""
        self._most = self._left = most
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def taken(self) -> None:
        """Return in the first turn of the loop that has room."""
        loop = asyncio.get_running_loop()
        if self._left == self._most:
            loop.call_soon(self._renew)
        if self._left:
            self._left -= 1
            return
        mine = loop.create_future()
        self._waiting.append(mine)
        await mine

    def _renew(self) -> None:
        """Begin a turn: whoever waits longest goes first."""
        self._left = self._most
        while self._left and self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(None)
                self._left -= 1
        if self._left < self._most:
            asyncio.get_running_loop().call_soon(self._renew)
