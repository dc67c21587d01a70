"""What waits in a campaign, handed out to its workers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Final

from curator.campaign.waiting.jobs import Job, ListingJob, OpinionJob
from curator.ledger import Ledger, WorkItem

PAGE: Final = 500
"""Items read from the ledger at a time."""

RETURNED_AFTER: Final = 20
"""Other jobs that are handed out before one that failed comes again."""


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

    def count_less(self) -> None:
        """Let one that was handed out not count for the limit: nobody asks about it."""
        if self._left is not None:
            self._left += 1

    async def _next(self) -> Job | None:
        if self._left == 0:
            return None
        while not self._page:
            page = await anext(self._pages, None)
            if page is None:
                return None
            self._page.extend(page)
        if self._left is not None:
            self._left -= 1
        return self._page.popleft()


async def one_page(jobs: Sequence[Job]) -> AsyncIterator[Sequence[Job]]:
    """Yield ``jobs``."""
    yield jobs


async def waiting_items(
    ledger: Ledger, campaign_id: int, first: Sequence[WorkItem] = ()
) -> AsyncIterator[list[Job]]:
    """Yield the images of a campaign that wait for their questions, some of them ``first``."""
    if first:
        yield [_listing_job(item) for item in first]
    seen = {item.item_id for item in first}
    after = 0
    while items := await ledger.pending(campaign_id, after, PAGE):
        after = items[-1].rank
        yield [_listing_job(item) for item in items if item.item_id not in seen]


def _listing_job(item: WorkItem) -> ListingJob:
    return ListingJob(item.item_id, item.listing, item.attempts, item.rank, item.views)


async def waiting_pairs(ledger: Ledger, campaign_id: int) -> AsyncIterator[list[Job]]:
    """Yield the pairs of a campaign that wait for a second opinion."""
    after = (0, "")
    while pairs := await ledger.waiting_pairs(campaign_id, after, PAGE):
        after = (pairs[-1].item_id, pairs[-1].question)
        yield [
            OpinionJob(
                pair.item_id,
                pair.listing,
                pair.attempts,
                pair.question,
                pair.answer,
                pair.answered_by,
            )
            for pair in pairs
        ]
