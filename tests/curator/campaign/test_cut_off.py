"""A run that is cut off while results are written ends without a word about them."""

from __future__ import annotations

import asyncio

from curator.campaign.results import Results
from shared.program.async_stopping import AsyncStopSignal


async def test_a_result_that_was_cut_off_is_no_failure_to_be_told():
    told = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    results = Results(1, None, None, None, None, None, AsyncStopSignal())
    for written in (loop.create_future(), loop.create_future()):
        written.add_done_callback(results._noted)
        written.add_done_callback(lambda one: results._written(None, None, None, one))
        written.cancel()
    await asyncio.sleep(0)
    assert told == []
    assert not results.stop.requested
    assert results.lost is None
