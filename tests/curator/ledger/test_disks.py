"""Ledgers that are locked, read-only, or on a full disk: a wait or one line, and nothing broken."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager

import pytest

from curator.ledger.database.plain import changing
from curator.ledger.errors import LedgerBusy
from shared.program.reporting.events import set_up_events
from tests.curator.campaigns import PICTURES, ended, start_process
from tests.curator.ledger.ledgers import fresh_ledger


@contextmanager
def mounted(folder, *options):
    """Have a small disk at ``folder``."""
    folder.mkdir(exist_ok=True)
    words = ("mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder))
    if os.name == "nt" or subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(("umount", "--lazy", str(folder)), check=True)


def fill_up(file):
    with file.open("wb", buffering=0) as filling, contextlib.suppress(OSError):
        while filling.write(bytes(4_096)):
            pass


def no_more_writing(disk):
    # Lets go of the log.
    set_up_events()
    subprocess.run(("mount", "-o", "remount,ro", str(disk)), check=True)


def assert_whole(ledger):
    with closing(sqlite3.connect(ledger)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def told_by(*words, **more):
    return subprocess.run(
        [sys.executable, "-m", "curator", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        **more,
    )


async def test_a_run_waits_for_whoever_holds_its_ledger_for_a_while(stage):
    campaign = await stage()
    assert (await campaign.run(limit=2)).code == 0
    shell = sqlite3.connect(campaign.ledger, isolation_level=None, check_same_thread=False)
    with closing(shell):
        shell.execute("BEGIN IMMEDIATE")
        letting_go = threading.Timer(1.0, shell.execute, ("ROLLBACK",))
        letting_go.start()
        result = await campaign.run()
        letting_go.join()
    assert (result.code, campaign.requests) == (0, PICTURES), result.err


def test_a_ledger_that_is_held_is_said_to_be(tmp_path):
    ledger = fresh_ledger(tmp_path / "a.db")
    with closing(sqlite3.connect(ledger, isolation_level=None)) as shell:
        shell.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerBusy, match="another process"), changing(ledger, 0.0):
            pass
        assert LedgerBusy.exit_code == 75


async def test_a_full_disk_ends_a_run_in_one_line_and_it_goes_on_once_there_is_room(
    stage, tmp_path
):
    campaign = await stage()
    with mounted(tmp_path / "disk", "size=2m") as disk:
        ledger, fill = disk / "l.db", disk / "fill"
        assert (await campaign.run(ledger=ledger, limit=3)).code == 0
        fill_up(fill)
        process = await start_process(
            *("run", "--catalog", str(campaign.catalog), "--endpoint", campaign.url),
            *("--keys", str(campaign.folder / "keys.txt"), "--ledger", str(ledger)),
            *("--questions", "3"),
        )
        full = await ended(process)
        assert full.code == 1, full.err
        assert "room" in full.err.splitlines()[-1]
        assert "Traceback" not in full.err
        status = told_by("status", "--ledger", ledger)
        assert status.returncode == 0 or "make room" in status.stderr
        fill.unlink()
        assert_whole(ledger)
        assert (await campaign.run(ledger=ledger)).code == 0
        assert campaign.requests <= PICTURES + 16


async def test_on_a_read_only_disk_a_ledger_is_read_and_not_written(stage, tmp_path):
    campaign = await stage()
    with mounted(tmp_path / "disk", "size=4m") as disk:
        ledger, out = disk / "l.db", tmp_path / "out.csv"
        assert (await campaign.run(ledger=ledger)).code == 0
        no_more_writing(disk)
        assert told_by("status", "--ledger", ledger).returncode == 0
        exported = told_by("export", "--ledger", ledger, "--out", out)
        assert exported.returncode == 0, exported.stderr
        refused = await campaign.run(ledger=ledger)
        assert refused.code == 2
        assert "cannot be written (Read-only file system)" in refused.err
