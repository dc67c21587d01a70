"""Two signals, at any moments: an exit code that tells, no traceback, a ledger that is whole."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
from contextlib import closing

import pytest

from tests.curator.campaigns import ended, until_requests

SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def stop_twice(campaign, draw: random.Random) -> None:
    before = campaign.requests
    process = await campaign.start()
    await until_requests(campaign, before + 1)
    # From the first request to well after a run that was asked to stop would be gone by itself.
    for most_s in (0.3, 0.5):
        await asyncio.sleep(draw.random() * most_s)
        if process.returncode is None:
            process.send_signal(draw.choice(SIGNALS))
    async with asyncio.timeout(60):
        result = await ended(process)
    assert "Traceback" not in result.err, result.err
    assert "Exception ignored" not in result.err, result.err
    assert result.code == 75, result.err
    assert "run the same command again" in result.err.splitlines()[-1]
    with closing(sqlite3.connect(campaign.ledger)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("seed", range(2))
async def test_two_signals_end_a_run_without_a_traceback(stage, seed):
    await stop_twice(await stage(latency={"mean_ms": 400}), random.Random(seed))


@pytest.mark.slow
@pytest.mark.timeout(1_800)
async def test_two_signals_at_many_moments_never_end_in_a_traceback(stage):
    draw = random.Random(20261129)
    campaign = await stage(latency={"mean_ms": 400})
    for _ in range(40):
        await stop_twice(campaign, draw)
        for file in campaign.folder.glob(f"{campaign.ledger.name}*"):
            file.unlink()
