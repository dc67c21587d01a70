"""Batch jobs outlive the runs that made them: nothing is lost, and nothing is asked twice."""

from __future__ import annotations

import asyncio
import re
import signal
import time

import pytest

from shared.endpoints.models.tier import Tier
from tests.curator.campaign.batch.test_batch_runs import (
    assert_every_image_once,
)
from tests.curator.campaigns import PICTURES, ended
from tests.fakes.jumping_clock import JumpingClock

NOT_YET = {"running_s": 3_600}


def later(hours: float = 0.0) -> JumpingClock:
    return JumpingClock(time.time() + hours * 3_600)


async def until_called(campaign, name: str, times: int = 1) -> None:
    async with asyncio.timeout(60):
        while campaign.server.stats()["calls"].get(name, 0) < times:  # noqa: ASYNC110 - from outside
            await asyncio.sleep(0.002)


@pytest.mark.slow
@pytest.mark.parametrize("call", ["upload", "create_batch", "get_batch", "download", "delete_file"])
async def test_a_run_that_is_killed_goes_on_where_it_was(stage, call):
    campaign = await stage()
    process = await campaign.start("--tier", "batch")
    await until_called(campaign, call)
    process.send_signal(signal.SIGKILL)
    await ended(process)
    result = await campaign.run(later(), tier=Tier.BATCH)
    assert result.code == 0, result.err
    await assert_every_image_once(campaign)


@pytest.mark.slow
async def test_a_signal_ends_a_run_at_once_and_tells_what_goes_on(stage):
    campaign = await stage(batch=NOT_YET)
    process = await campaign.start("--tier", "batch")
    await until_called(campaign, "create_batch")
    await until_called(campaign, "get_batch")
    process.send_signal(signal.SIGTERM)
    stopped = time.monotonic()
    result = await ended(process)
    assert time.monotonic() - stopped < 5
    assert result.code == 75
    assert re.search(
        r"1 batch job with 12 images goes on at the service, and the same command fetches",
        result.err.splitlines()[-1],
    )
    status = await campaign.status()
    assert status["progress"]["pending"] == PICTURES
    assert status["attempts"] == {"open": PICTURES}
