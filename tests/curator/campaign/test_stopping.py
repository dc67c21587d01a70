"""A run is stopped wherever it is: asking, waiting, reading; once in good order, twice at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from contextlib import closing

import pytest

from shared.endpoints.pool.exhaustion import OnExhausted
from shared.program.async_stopping import AsyncStopSignal, stop_on_signals
from tests.curator.campaigns import KEYS, ended, until_requests


async def until_logged(campaign, event: str) -> None:
    log = campaign.ledger.with_name(f"{campaign.ledger.name}.log.jsonl")
    async with asyncio.timeout(60):
        while not (log.exists() and event in log.read_text()):  # noqa: ASYNC110 - as below
            await asyncio.sleep(0.01)


def test_a_block_that_outlives_its_run_leaves_no_handler_of_the_loop_behind():
    async def entered() -> None:
        block.__enter__()

    async def left() -> None:
        block.__exit__(None, None, None)

    block = stop_on_signals(AsyncStopSignal(), "curator")
    with asyncio.Runner() as runner:
        runner.run(entered())
        runner.run(left())
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_the_run_at_once(stage, second):
    campaign = await stage(latency={"mean_ms": 300_000})
    process = await campaign.start()
    await until_requests(campaign, 2)
    process.send_signal(signal.SIGTERM)
    await until_logged(campaign, "finishing_what_is_in_flight")
    assert process.returncode is None
    process.send_signal(second)
    # The replies take five minutes; so long nobody waits here.
    async with asyncio.timeout(60):
        result = await ended(process)
    assert result.code == 75, result.err
    assert result.err.endswith("stopped; run the same command again to go on\n")
    status = await campaign.status()
    assert status["attempts"] == {"open": 2}
    assert status["progress"]["pending"] == 12


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_run_that_waits_for_quota_stops_at_once(stage, number):
    campaign = await stage(KEYS[0], unlisted_quota={"rpd": 2})
    running = asyncio.create_task(campaign.run(on_exhausted=OnExhausted.WAIT))
    await until_logged(campaign, "All API keys exhausted")
    os.kill(os.getpid(), number)
    async with asyncio.timeout(60):
        result = await running
    assert result.code == 75
    assert result.err.endswith(f"stopped by {number.name}; run the same command again to go on")
    assert (await campaign.status())["progress"]["done"] == 2


async def test_a_run_that_reads_a_large_catalogue_stops_and_leaves_nothing_half_read(stage):
    campaign = await stage()
    catalog = campaign.folder / "large.csv"
    with catalog.open("w") as file:
        file.write("filename,title\n")
        file.writelines(f"00/00000000.jpg,thing number {n}\n" for n in range(400_000))
    images = campaign.catalog / "images" / "small"
    running = asyncio.create_task(campaign.run(catalog=catalog, images=images))
    async with asyncio.timeout(60):
        while not campaign.ledger.exists():  # noqa: ASYNC110 - the run is watched from outside
            await asyncio.sleep(0.005)
    os.kill(os.getpid(), signal.SIGTERM)
    result = await running
    assert result.code == 75, result.err
    assert campaign.requests == 0
    with closing(sqlite3.connect(campaign.ledger)) as database:
        assert database.execute("SELECT count(*) FROM items").fetchone() == (0,)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    # The next run reads it from the start; of one that is not there nothing is left behind.
    catalog.write_text("filename,title\n00/00000000.jpg,thing\n")
    assert (await campaign.run(catalog=catalog, images=images)).code == 0
    assert (await campaign.status())["progress"]["done"] == 1
