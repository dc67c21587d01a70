"""One ledger and several processes: one writes, others read, any of them may be killed."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from tests.curator.campaigns import PICTURES, ended, until_requests
from tests.curator.ledger.ledgers import FIRST_RELEASE

HOLD = """
import sys, time
from pathlib import Path
from curator.ledger import sole_writer
with sole_writer(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@asynccontextmanager
async def held(ledger: Path):
    """Hold the ledger's lock in another process, and kill that with -9 at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, str(ledger), stdout=asyncio.subprocess.PIPE
    )
    assert await process.stdout.readline() == b"held\n"
    yield
    process.kill()
    await process.wait()


async def test_a_second_run_is_refused_and_readers_read_while_one_works(stage):
    campaign = await stage(latency={"mean_ms": 200})
    process = await campaign.start()
    await until_requests(campaign, 5)
    second = await campaign.run()
    assert second.code == 2
    assert "another `curator run` works on this ledger" in second.err
    status = await campaign.status()
    assert 0 < status["progress"]["done"] < PICTURES
    out = campaign.folder / "part.csv"
    exported = await campaign.command("export", "--out", str(out))
    assert exported.code == 0, exported.err
    # Whole items only: three pairs of each.
    assert (len(out.read_text().splitlines()) - 1) % 3 == 0
    first = await ended(process)
    assert (first.code, campaign.requests) == (0, PICTURES)


async def test_the_lock_of_a_killed_run_holds_nobody_up(stage):
    campaign = await stage()
    async with held(campaign.ledger):
        assert (await campaign.run()).code == 2
    assert (await campaign.run()).code == 0
    assert campaign.requests == PICTURES


async def test_no_reader_migrates_under_an_older_release_that_works(stage):
    campaign = await stage()
    script = FIRST_RELEASE.read_text()
    with closing(sqlite3.connect(campaign.ledger)) as database:
        database.executescript(script)
    before = campaign.ledger.read_bytes()
    async with held(campaign.ledger):
        for words in (("status",), ("export", "--out", str(campaign.folder / "x.csv"))):
            refused = await campaign.command(*words)
            assert refused.code == 2
            assert "works on this ledger" in refused.err
    assert campaign.ledger.read_bytes() == before
    assert (await campaign.command("status")).code == 0


async def test_a_shuffled_queue_goes_on_in_its_order_after_a_stop(stage):
    campaign = await stage()
    assert (await campaign.run(limit=5, shuffle=7)).code == 0
    query = "SELECT rank, item_id FROM work WHERE state = 1 ORDER BY rank"
    with closing(sqlite3.connect(campaign.ledger)) as database:
        done = database.execute(query).fetchall()
    assert [rank for rank, _ in done] == [1, 2, 3, 4, 5]
    assert [item for _, item in done] != [1, 2, 3, 4, 5]
    assert (await campaign.run(limit=8)).code == 0
    with closing(sqlite3.connect(campaign.ledger)) as database:
        assert database.execute(query).fetchall()[:5] == done
        assert max(rank for rank, _ in database.execute(query)) == 8
    assert campaign.requests == 8


@pytest.mark.slow
@pytest.mark.parametrize("moment", [1, 2, 4, 7, 10, 12])
async def test_whenever_it_is_killed_only_what_was_in_flight_is_repeated(stage, moment):
    campaign = await stage(latency={"mean_ms": 60})
    process = await campaign.start()
    await until_requests(campaign, moment)
    process.kill()
    assert (await ended(process)).code in {-signal.SIGKILL, 0}
    assert (await campaign.run()).code == 0
    assert campaign.requests <= PICTURES + 2
    assert len(campaign.pairs()) == len(set(campaign.pairs())) == 3 * PICTURES
