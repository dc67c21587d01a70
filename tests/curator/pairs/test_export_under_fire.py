"""Exports on a full disk and under signals: one line, nothing left, and the old file whole."""

from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest
from PIL import Image

from curator.ledger.repair.mending import count_pairs
from shared.program.full_disk import MAKE_ROOM
from tests.curator.ledger.ledgers import fresh_ledger

ITEMS = 20_000
FORMS = {
    "o.csv": (),
    "o.jsonl": (),
    "o.parquet": (),
    "folder": (),
    "tasks.json": ("--to", "label-studio", "--sample", "5000"),
    "argilla": ("--to", "argilla", "--sample", "5000"),
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    folder = tmp_path_factory.mktemp("campaign")
    path, images = fresh_ledger(folder / "l.db"), folder / "images"
    images.mkdir()
    Image.new("RGB", (32, 32), "red").save(images / "1.jpg")
    numbers = range(1, ITEMS + 1)
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO sources VALUES ('c', 'f', ?, 0, '[]')", (str(images),))
        database.execute(
            "INSERT INTO campaigns (id, annotator, models, prompt_version, questions, created_at) "
            "VALUES (1, 'gemini', '[{\"name\":\"gemini-x\"}]', '1-abc', 5, 0)"
        )
        database.executemany(
            "INSERT INTO items VALUES (?, ?, ?, ?, '{}', '')",
            ((n, f"L{n}", f"i{n}", f"{n}.jpg") for n in numbers),
        )
        database.executemany(
            "INSERT INTO work (campaign_id, item_id, state, attempts, reason, finished_at, rank) "
            "VALUES (1, ?, 1, 1, '', 1.0, ?)",
            ((n, n) for n in numbers),
        )
        database.executemany(
            "INSERT INTO pairs (campaign_id, item_id, position, question, answer, difficulty) "
            "VALUES (1, ?, ?, ?, 'a', 'easy')",
            ((n, k, f"What is number {k} of {n * 7919}?") for n in numbers for k in range(5)),
        )
        count_pairs(database)
        database.commit()
    return path


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def exporting(ledger, out, most_bytes=resource.RLIM_INFINITY):
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "curator", "export", "--ledger", str(ledger)),
            *("--out", str(out), *FORMS[out.name]),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # It reads the ledger for longer than this takes.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    return process


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_is_one_line_and_the_old_file_is_whole(tmp_path, ledger, form):
    out = tmp_path / form
    is_file = "." in form
    if is_file:
        out.write_text("old")
    with exporting(ledger, out, most_bytes=36_000) as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    lines = [line for line in err.splitlines() if line.startswith("curator: ")]
    assert lines == [f"curator: {out}: cannot be written (File too large); {MAKE_ROOM}"]
    assert "Traceback" not in err
    assert names_in(tmp_path) == ([form] if is_file else [])
    assert not is_file or out.read_text() == "old"


@pytest.mark.slow
@pytest.mark.parametrize("form", ["o.csv", "o.jsonl", "o.parquet", "folder"])
@pytest.mark.parametrize("signals", [1, 2])
def test_a_signal_ends_it_soon_and_leaves_nothing(tmp_path, ledger, form, signals):
    out = tmp_path / form
    is_file = "." in form
    if is_file:
        out.write_text("old")
    with exporting(ledger, out) as process:
        while process.poll() is None and not any(n.startswith(".") for n in names_in(tmp_path)):
            time.sleep(0.005)
        for _ in range(signals):
            process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 75, err
    assert err.endswith("curator: stopped; run the same command again to go on\n")
    assert names_in(tmp_path) == ([form] if is_file else [])
    assert not is_file or out.read_text() == "old"


def test_a_folder_with_a_files_name_is_one_line(tmp_path, ledger):
    out = tmp_path / "o.csv"
    out.mkdir()
    with exporting(ledger, out) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err == f"curator: {out}: is a folder; give the name of a file, or of another folder\n"
