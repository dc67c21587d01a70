"""A short part of ``make chaos``, and that a broken promise is told."""

from __future__ import annotations

import asyncio
import csv
import sqlite3
from contextlib import closing

import pytest

from tests.chaos.__main__ import play
from tests.chaos.promises import broken_promises
from tests.chaos.scene import KEYS, set_up
from tests.chaos.within import QUOTAS
from tests.fakes.jumping_clock import JumpingClock

LISTINGS = 60


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["within", "processes"])
def test_nothing_is_lost(kind, seed):
    told = play(kind, seed, LISTINGS)
    assert not told.lost, told.line()


def test_what_is_lost_is_told(tmp_path):
    asyncio.run(_lose(tmp_path))


async def _lose(folder):
    clock = JumpingClock()
    # Of this seed, the service has no faults.
    async with set_up(5, folder, clock, listings=6, quotas=QUOTAS, faults=()) as scene:
        ledger, out = scene.campaign.ledger, scene.campaign.folder / "out.csv"
        with scene.captured.catching():
            assert (await scene.campaign.run(clock, keys=scene.keys_file)).code == 0
            assert (await scene.campaign.command("export", "--out", str(out))).code == 0
        assert broken_promises(scene, out) == []
        with out.open(newline="") as file:
            rows = list(csv.reader(file))
        with out.open("w", newline="") as file:
            csv.writer(file).writerows([*rows[:-1], [*rows[-1][:2], "another", rows[-1][3]]])
        (scene.campaign.folder / "notes.txt").write_text(next(iter(KEYS.values())))
        with closing(sqlite3.connect(ledger)) as database:
            database.execute("UPDATE attempts SET item_id = 2 WHERE item_id = 1")
            database.execute("UPDATE work SET state = 0 WHERE item_id = 3")
            database.execute("UPDATE work_tallies SET items = 17")
            database.commit()
        told = "\n".join(broken_promises(scene, out))
    for what in ("not every listing is done", "more than once", "not what the service gave"):
        assert what in told
    for what in ("does not know", "a key stands in notes.txt", "not what counting gives"):
        assert what in told
