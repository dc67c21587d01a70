"""What waits in a campaign, handed out to its workers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Final

from curator.ledger import Ledger, PairItem, WorkItem

PAGE: Final = 500
"""Items read from the ledger at a time."""

RETURNED_AFTER: Final = 20
"""Other jobs that are handed out before one that failed comes again."""

Job = WorkItem | PairItem
"""What one request is about: an image without questions, or a pair without a second opinion."""


def job_key(job: Job) -> object:
    """Return what tells a job from all others of its campaign."""
    return (job.item_id, job.question) if isinstance(job, PairItem) else job.item_id


class Queue:
    """What waits, in pages: one shared iterator for all workers."""

    def __init__(self, pages: AsyncIterator[Sequence[Job]], limit: int | None = None) -> None:
        """Hand out what stands in ``pages``, at most ``limit`` of it."""
        self._pages = pages
        self._left = limit
        self._page: deque[Job] = deque()
        self._handed_out = 0
        self._returned: deque[tuple[int, Job]] = deque()
        self._turn = asyncio.Lock()

    async def take(self) -> Job | None:
        """Return the next job; ``None`` when there is none left."""
        async with self._turn:
            is_due = self._returned and self._returned[0][0] <= self._handed_out
            job = None if is_due else await self._next()
            if job is not None:
                self._handed_out += 1
                return job
            return self._returned.popleft()[1] if self._returned else None

    def put_back(self, job: Job) -> None:
        """Hand ``job`` out once more, after others where there are some."""
        self._returned.append((self._handed_out + RETURNED_AFTER, job))

    async def _next(self) -> Job | None:
        if self._left == 0:
            return None
        if not self._page:
            # Not a tuple: anext of Python 3.11 stumbles over that as a default.
            nothing: list[Job] = []
            self._page.extend(await anext(self._pages, nothing))
        if not self._page:
            return None
        if self._left is not None:
            self._left -= 1
        return self._page.popleft()


async def waiting_items(ledger: Ledger, campaign_id: int) -> AsyncIterator[list[WorkItem]]:
    """Yield the images of a campaign that wait for their questions."""
    after = 0
    while items := await ledger.pending(campaign_id, after, PAGE):
        after = items[-1].rank
        yield items


async def waiting_pairs(ledger: Ledger, campaign_id: int) -> AsyncIterator[list[PairItem]]:
    """Yield the pairs of a campaign that wait for a second opinion."""
    after = (0, "")
    while pairs := await ledger.waiting_pairs(campaign_id, after, PAGE):
        after = (pairs[-1].item_id, pairs[-1].question)
        yield pairs
