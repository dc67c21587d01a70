"""``curator repair``: a campaign goes on with the new ledger, and what was paid for is there."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import shutil
import signal
import sqlite3
from contextlib import closing

import pytest

from curator.__main__ import app
from shared.program.cli import run_program
from tests.curator.campaigns import PICTURES, Ended, ended, until_requests
from tests.curator.ledger.ledgers import FIRST_RELEASE, tallied
from tests.curator.ledger.repair.ledgers import PAGE, overwrite


async def command(campaign, *words) -> Ended:
    def finish() -> int:
        with pytest.raises(SystemExit) as end:
            run_program(app, "curator", [str(word) for word in words])
        return end.value.code

    campaign.capsys.readouterr()
    code = await asyncio.to_thread(finish)
    return Ended(code, *campaign.capsys.readouterr())


async def repaired(campaign, *more):
    new = campaign.folder / "new.db"
    result = await command(campaign, "repair", campaign.ledger, "--to", new, "--json", *more)
    assert result.code == 0, result.err
    return new, json.loads(result.out)["tables"]


def named_pairs(ledger):
    query = "SELECT image_path, question, answer FROM pairs JOIN items ON items.id = item_id"
    with closing(sqlite3.connect(ledger)) as database:
        return sorted(database.execute(query))


def pages_of(ledger, table):
    """Return the numbers of the pages of a table that fits into its root."""
    with closing(sqlite3.connect(ledger)) as database:
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        return database.execute(query, (table,)).fetchone()[0]


@pytest.mark.parametrize(
    "tables",
    [
        ("pairs",),
        ("items",),
        ("work", "attempt_tallies"),
        ("attempts", "replies"),
        ("items", "attempts", "replies", "pairs", "work", "campaigns", "keys"),
    ],
    ids="-".join,
)
async def test_lost_pages_are_made_up_for_by_replies_and_log(stage, tables):
    campaign = await stage()
    assert (await campaign.run()).code == 0
    wanted = named_pairs(campaign.ledger)
    for table in tables:
        overwrite(campaign.ledger, pages_of(campaign.ledger, table), bytes(PAGE))
    before = campaign.ledger.read_bytes()
    new, _ = await repaired(campaign)
    assert named_pairs(new) == wanted
    tallied(new)
    again = await campaign.run(ledger=new)
    assert (again.code, campaign.requests) == (0, PICTURES), again.err
    assert named_pairs(new) == wanted
    assert campaign.ledger.read_bytes() == before


async def test_pairs_of_a_lost_request_are_all_there_again_though_some_were_saved(stage):
    campaign = await stage()
    assert (await campaign.run()).code == 0
    wanted = named_pairs(campaign.ledger)
    with closing(sqlite3.connect(campaign.ledger)) as database:
        # As after a damage that took each second pair, and the requests with it.
        database.execute("DELETE FROM pairs WHERE position = 1")
        database.commit()
    overwrite(campaign.ledger, pages_of(campaign.ledger, "attempts"), bytes(PAGE))
    new, _ = await repaired(campaign)
    assert named_pairs(new) == wanted


@pytest.mark.parametrize("loss", ["emptied", "gone"])
async def test_of_a_ledger_that_is_lost_the_log_tells_all_replies(stage, loss):
    campaign = await stage()
    assert (await campaign.run(limit=9)).code == 0
    wanted = named_pairs(campaign.ledger)
    if loss == "gone":
        campaign.ledger.unlink()
    else:
        campaign.ledger.write_bytes(b"")
    refused = await campaign.run()
    assert refused.code == 2
    assert "curator repair" in refused.err
    new, tables = await repaired(campaign)
    assert tables["replies"]["from_log"] == 9
    assert named_pairs(new) == wanted
    assert (await campaign.run(ledger=new)).code == 0
    assert campaign.requests == PICTURES
    with closing(sqlite3.connect(new)) as database:
        told = database.execute("SELECT metadata FROM items WHERE metadata = '{}'").fetchall()
    # What the log does not know of a listing, its catalogue told at the next start.
    assert told == []


async def test_rotated_logs_are_read_too(stage):
    campaign = await stage()
    assert (await campaign.run(limit=4)).code == 0
    log = campaign.folder / "campaign.db.log.jsonl"
    (campaign.folder / f"{log.name}.1.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    assert (await campaign.run(limit=7)).code == 0
    wanted = named_pairs(campaign.ledger)
    campaign.ledger.write_bytes(b"")
    new, _ = await repaired(campaign)
    assert named_pairs(new) == wanted


async def test_a_ledger_without_a_log_is_asked_again_about_what_is_lost_alone(stage):
    campaign = await stage()
    assert (await campaign.run()).code == 0
    wanted = named_pairs(campaign.ledger)
    (campaign.folder / "campaign.db.log.jsonl").unlink()
    for table in ("attempts", "pairs"):
        overwrite(campaign.ledger, pages_of(campaign.ledger, table), bytes(PAGE))
    new, tables = await repaired(campaign)
    assert tables["pairs"]["lost"] == 3 * PICTURES
    assert tables["attempts"]["lost"] == PICTURES
    assert (await campaign.run(ledger=new)).code == 0
    assert named_pairs(new) == wanted


@pytest.mark.parametrize("seed", range(2))
async def test_after_any_damage_the_same_command_ends_with_the_right_pairs(stage, seed):
    campaign, die = await stage(), random.Random(seed)
    process = await campaign.start()
    await until_requests(campaign, 8)
    process.send_signal(signal.SIGKILL)
    await ended(process)
    pages = campaign.ledger.stat().st_size // PAGE
    for number in die.sample(range(1, pages + 1), k=pages // 3):
        overwrite(campaign.ledger, number, die.randbytes(PAGE))
    new, _ = await repaired(campaign)
    tallied(new)
    assert (await campaign.run(ledger=new)).code == 0
    assert {name for name, _, _ in named_pairs(new)} == {
        f"{number % 4:02x}/{number:08x}.jpg" for number in range(PICTURES)
    }
    assert len(named_pairs(new)) == 3 * PICTURES


async def test_a_ledger_of_the_first_release_is_repaired_and_brought_up_to_date(stage):
    campaign = await stage()
    with closing(sqlite3.connect(campaign.ledger)) as database:
        database.executescript(FIRST_RELEASE.read_text())
        count = "SELECT count(*) FROM attempts"
        attempts = database.execute(count).fetchone()
    new, _ = await repaired(campaign)
    with closing(sqlite3.connect(new)) as database:
        assert database.execute(count).fetchone() == attempts
    tallied(new)
    assert (await command(campaign, "status", "--ledger", new)).code == 0


async def test_what_is_at_work_or_there_already_is_left_alone(stage):
    campaign = await stage(latency={"mean_ms": 200})
    process = await campaign.start()
    await until_requests(campaign, 2)
    new = campaign.folder / "new.db"
    refused = await command(campaign, "repair", campaign.ledger, "--to", new)
    assert (refused.code, new.exists()) == (2, False)
    assert "works on this ledger" in refused.err
    process.kill()
    await ended(process)
    shutil.copy(campaign.ledger, new)
    refused = await command(campaign, "repair", campaign.ledger, "--to", new)
    assert refused.code == 2
    assert "is there already" in refused.err


async def test_nobody_is_told_of_a_key(stage):
    campaign = await stage()
    assert (await campaign.run()).code == 0
    (await repaired(campaign))
    for path in campaign.folder.iterdir():
        if path.name != "keys.txt":
            assert b"AIzaSy" not in path.read_bytes(), path


@pytest.mark.parametrize("damage", ["beginning", "middle", "end"])
async def test_every_command_names_the_way_back_in_one_line(stage, damage):
    campaign = await stage()
    assert (await campaign.run(limit=9)).code == 0
    content = campaign.ledger.read_bytes()
    kept = {"beginning": 0, "middle": 2 * PAGE, "end": len(content) // PAGE // 2 * PAGE}[damage]
    rest = b"" if damage == "end" else bytes([7]) * (len(content) - kept)
    campaign.ledger.write_bytes(content[:kept] + rest)
    before = campaign.ledger.read_bytes()
    keys = campaign.folder / "keys.txt"
    at = campaign.ledger
    for words in (
        ("status", "--ledger", at),
        ("export", "--ledger", at, "--out", campaign.folder / "out.csv"),
        ("reparse", "--ledger", at),
        ("plan", "--ledger", at, "--catalog", campaign.catalog, "--keys", keys),
        ("view", at, "--listen", "127.0.0.1:0"),
        ("review", at, "--listen", "127.0.0.1:0"),
        ("review", at, "--report"),
        ("keys", "--ledger", at, "--keys", keys, "--endpoint", campaign.url),
    ):
        result = await asyncio.wait_for(command(campaign, *words), 20)
        assert result.code in {1, 2}, (words, result)
        lines = [line for line in result.err.splitlines() if line.startswith("curator: ")]
        assert len(lines) == 1, (words, result)
        assert "`curator repair --ledger LEDGER --out NEW`" in lines[0], words
        assert "Traceback" not in result.err
    ran = await campaign.run()
    assert ran.code in {1, 2}
    assert "`curator repair --ledger LEDGER --out NEW`" in ran.err
    assert campaign.ledger.read_bytes() == before


async def test_of_two_replies_about_an_image_the_one_that_was_written_counts(stage):
    campaign = await stage()
    assert (await campaign.run()).code == 0
    wanted = named_pairs(campaign.ledger)
    log = campaign.folder / "campaign.db.log.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    [line] = [line for line in lines if '"attempt":3,' in line]
    # It came, and could not be written; the image was asked about again.
    lines[lines.index(line)] = line.replace("colour", "shade")
    log.write_text("".join([*lines, line.replace('"attempt":3,', '"attempt":90,')]))
    for table in ("attempts", "replies", "pairs"):
        overwrite(campaign.ledger, pages_of(campaign.ledger, table), bytes(PAGE))
    new, tables = await repaired(campaign)
    assert named_pairs(new) == wanted
    assert tables["attempts"]["from_log"] == PICTURES + 1
    with closing(sqlite3.connect(new)) as database:
        told = database.execute("SELECT outcome FROM attempts WHERE id = 3").fetchall()
    assert told == [("open",)]
