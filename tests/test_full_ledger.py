"""The bench of a ledger at full size fills one of today's form."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from curator.ledger import Ledger
from tests.bench.asking.full_ledger import FILL
from tests.curator.ledger.ledgers import enrolled, fresh_ledger


async def test_what_fills_the_ledger_of_the_bench_fits_its_tables(tmp_path):
    path = fresh_ledger(tmp_path / "full.db")
    async with Ledger.opened(path) as ledger:
        await enrolled(ledger, 3)
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "INSERT INTO keys (fingerprint, label, project, removed_because, updated_at)"
            " VALUES ('f', 'a', 'p', '', 0)"
        )
        database.executescript(FILL)
        asked = database.execute("SELECT model, count(*) FROM attempts").fetchall()
        assert asked == [("gemini-x", 3)]
        [pairs] = database.execute("SELECT count(*) FROM pairs").fetchone()
    assert pairs == 30
