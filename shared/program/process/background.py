"""Work that goes on beside a run: ends with it, and cannot end it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)


@asynccontextmanager
async def beside(work: Coroutine[None, None, None], name: str) -> AsyncIterator[None]:
    """Let ``work`` go on for the time of the block; an error in it is logged, under ``name``."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_tell)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("side_work_failed", work=task.get_name(), exc_info=error)
