"""A ledger is a file, not a name: links, mounts, and what lies beside a name that is empty."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from curator.ledger import require_ledger, sole_writer
from shared.errors import InputError
from shared.files.locking import FileHold, LockHeld, sole
from tests.curator.campaigns import PICTURES, ended, until_requests
from tests.curator.ledger.ledgers import fresh_ledger


def assert_whole(ledger):
    with closing(sqlite3.connect(ledger)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.slow
@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize("place", ["other.db", "elsewhere/other.db"])
async def test_a_second_run_is_refused_under_any_name(stage, link, place):
    campaign = await stage(latency={"mean_ms": 200})
    process = await campaign.start()
    await until_requests(campaign, 4)
    other = campaign.folder / place
    other.parent.mkdir(exist_ok=True)
    link(campaign.ledger, other)
    second = await campaign.run(ledger=other)
    assert second.code == 2
    assert str(other) in second.err
    first = await ended(process)
    assert (first.code, campaign.requests) == (0, PICTURES), first.err
    assert len(campaign.pairs()) == 3 * PICTURES
    assert_whole(campaign.ledger)


async def test_no_reader_reads_past_the_changes_beside_another_name(stage):
    campaign = await stage(latency={"mean_ms": 100})
    process = await campaign.start()
    await until_requests(campaign, 6)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    linked = campaign.folder / "linked.db"
    os.link(campaign.ledger, linked)
    assert campaign.ledger.with_name(f"{campaign.ledger.name}-wal").stat().st_size
    with pytest.raises(InputError, match="is a hard link of"):
        require_ledger(linked)
    # Under the name that has them, it goes on.
    assert (await campaign.run()).code == 0
    # And once nothing lies beside either, either will do.
    require_ledger(linked)
    assert_whole(linked)


async def test_a_run_through_a_symbolic_link_is_the_same_run(stage):
    campaign = await stage()
    real = campaign.folder / "disk" / "real.db"
    real.parent.mkdir()
    campaign.ledger.symlink_to(real)
    assert (await campaign.run(limit=3)).code == 0
    assert campaign.ledger.is_symlink()
    beside = {file.name for file in real.parent.iterdir()}
    assert beside == {"real.db", "real.db.lock", "real.db.log.jsonl"}
    assert (await campaign.run(ledger=real)).code == 0
    assert campaign.requests == PICTURES


def test_a_hard_link_elsewhere_is_refused_while_nobody_can_tell_what_it_has(tmp_path):
    ledger = fresh_ledger(tmp_path / "a.db")
    (tmp_path / "far").mkdir()
    os.link(ledger, tmp_path / "far" / "b.db")
    with pytest.raises(InputError, match=r"2 names \(hard links\)"):
        require_ledger(ledger)


def test_a_lock_file_that_was_removed_lets_nobody_in(tmp_path):
    ledger = fresh_ledger(tmp_path / "a.db")
    with sole_writer(ledger):
        (tmp_path / "a.db.lock").unlink()
        with pytest.raises(LockHeld, match="another name"), sole_writer(ledger):
            pass


def test_a_mount_of_the_file_alone_is_no_second_ledger(tmp_path):
    ledger, mounted = fresh_ledger(tmp_path / "a.db"), tmp_path / "mounted.db"
    mounted.touch()
    if shutil.which("mount") is None or not _ran("mount", "--bind", str(ledger), str(mounted)):
        pytest.skip("nothing can be mounted here")
    try:
        with sole_writer(ledger):
            require_ledger(ledger)
            with pytest.raises(LockHeld, match="another name"):
                require_ledger(mounted)
            with pytest.raises(LockHeld, match="another name"), sole_writer(mounted):
                pass
        require_ledger(mounted)
    finally:
        _ran("umount", str(mounted))


def _ran(*words):
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def test_a_held_file_can_be_read_and_written_by_sqlite(tmp_path):
    ledger, hold = fresh_ledger(tmp_path / "a.db"), FileHold()
    assert hold.take(ledger)
    with closing(sqlite3.connect(ledger, timeout=0)) as database:
        database.execute("INSERT INTO projects VALUES ('p', 'm', 0, '', NULL, 0, '')")
        database.commit()
    hold.release()


def test_whoever_waited_for_a_lock_that_is_removed_takes_the_new_one(tmp_path):
    lock = tmp_path / "run.lock"
    with sole(lock, "busy", "wait"):
        lock.unlink()
    with sole(lock, "busy", "wait"), pytest.raises(LockHeld), sole(lock, "busy", "wait"):
        pass


async def test_an_emptied_ledger_is_not_begun_anew(stage):
    campaign = await stage()
    assert (await campaign.run(limit=3)).code == 0
    campaign.ledger.write_bytes(b"")
    result = await campaign.run()
    assert result.code == 2
    assert "is empty, but was not (campaign.db.log.jsonl beside it)" in result.err
    for words in (("status",), ("export", "--out", str(campaign.folder / "x.csv")), ("reparse",)):
        refused = await campaign.command(*words)
        assert refused.code == 2
        assert "is empty, but was not" in refused.err
    assert campaign.ledger.read_bytes() == b""
    assert campaign.requests == 3


async def test_changes_of_a_ledger_that_is_gone_go_into_no_other(stage):
    campaign = await stage(latency={"mean_ms": 100})
    process = await campaign.start()
    await until_requests(campaign, 6)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    campaign.ledger.unlink()
    refused = await campaign.run()
    assert refused.code == 2
    left = "campaign.db-wal and campaign.db.log.jsonl"
    assert f"is gone, but {left} beside it tells of paid replies" in refused.err
    assert not campaign.ledger.exists()
    campaign.ledger.with_name("campaign.db-wal").rename(campaign.folder / "away")
    assert "but campaign.db.log.jsonl beside it" in (await campaign.run()).err
    campaign.ledger.with_name("campaign.db.log.jsonl").rename(campaign.folder / "away too")
    assert (await campaign.run()).code == 0
    assert_whole(campaign.ledger)


def test_an_empty_file_is_no_ledger_to_read_and_stays_empty(tmp_path):
    ledger = tmp_path / "new.db"
    ledger.touch()
    with pytest.raises(InputError, match="is empty; `curator run` makes one"):
        require_ledger(ledger)
    assert ledger.read_bytes() == b""


@pytest.mark.parametrize("damage", ["cut short", "overwritten"])
def test_a_damaged_ledger_names_the_way_back_and_stays_as_it_is(tmp_path, damage):
    ledger = fresh_ledger(tmp_path / "a.db")
    whole = ledger.read_bytes()
    broken = whole[:12_288] if damage == "cut short" else whole[:4_096] + bytes(len(whole) - 4_096)
    ledger.write_bytes(broken)
    ended = subprocess.run(
        [sys.executable, "-m", "curator", "status", "--ledger", str(ledger)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "the file is damaged; put a copy in its place" in ended.stderr
    assert "`curator repair --ledger LEDGER --out NEW`" in ended.stderr
    assert ledger.read_bytes() == broken
