"""All rows of a whole file are found, and of a damaged one all but those of the damaged pages."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing

import pytest

from curator.ledger.repair.repair import repair, require_whole
from curator.ledger.repair.salvage import salvaged
from shared.errors import InputError
from tests.curator.ledger.ledgers import tallied
from tests.curator.ledger.repair.ledgers import (
    ITEMS,
    PAGE,
    TABLES,
    filled_ledger,
    overwrite,
    rows_of,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return filled_ledger(tmp_path_factory.mktemp("whole") / "whole.db")


@pytest.fixture
def ledger(whole, tmp_path):
    return shutil.copy(whole, tmp_path / "l.db")


def found_in(path):
    found = salvaged(path)
    with closing(found.rows):
        return {table: set(found.rows.get(table, ())) for table in TABLES}, found


def page_of_root(path, name):
    with closing(sqlite3.connect(path)) as database:
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        return database.execute(query, (name,)).fetchone()[0]


def test_every_row_of_a_whole_file_is_found_once(ledger):
    rows, found = found_in(ledger)
    assert rows == rows_of(ledger)
    assert len(found.rows["pairs"]) == 3 * ITEMS
    assert (found.lost_pages, found.lost_rows, found.stray_pages) == ({}, {}, 0)


def test_what_is_only_in_the_write_ahead_log_is_found(ledger):
    with closing(sqlite3.connect(ledger)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("UPDATE pairs SET answer = 'new' WHERE item_id < 50")
        database.commit()
        database.execute("UPDATE pairs SET answer = 'newer' WHERE item_id = 7")
        database.commit()
        wanted = rows_of(ledger)
        assert found_in(ledger)[0] == wanted
        wal = ledger.with_name("l.db-wal")
        content = wal.read_bytes()
        # A last transaction that was cut off never was.
        wal.write_bytes(content[:-100])
        rows, _ = found_in(ledger)
        wal.write_bytes(content)
    answers = {row[4] for row in rows["pairs"] if row[1] < 50}
    assert answers == {"new"}


@pytest.mark.parametrize("tree", ["pairs", "attempts", "replies", "work", "items"])
def test_rows_below_a_lost_root_are_found(ledger, tree):
    wanted = rows_of(ledger)
    overwrite(ledger, page_of_root(ledger, tree), bytes(PAGE))
    rows, found = found_in(ledger)
    # Of a table that is an index, a few rows stand in the root itself.
    assert len(wanted[tree] - rows[tree]) <= (0 if found.shapes[tree].is_of_table else 60)
    assert {table: rows[table] for table in TABLES if table != tree} == {
        table: wanted[table] for table in TABLES if table != tree
    }
    assert found.is_damaged(tree)


def test_without_its_first_page_everything_else_is_found(ledger):
    wanted = rows_of(ledger)
    overwrite(ledger, 1, random.Random(3).randbytes(PAGE))
    assert found_in(ledger)[0] == wanted


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_of_a_file_that_was_cut_off_what_lies_before_the_cut_is_found(ledger, share):
    wanted, content = rows_of(ledger), ledger.read_bytes()
    ledger.write_bytes(content[: int(len(content) * share)])
    rows, _ = found_in(ledger)
    assert all(rows[table] <= wanted[table] for table in TABLES)
    assert len(rows["replies"]) > 0.8 * share * ITEMS


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 30))]
)
def test_whatever_is_overwritten_nothing_is_found_that_was_not_there(ledger, seed, tmp_path):
    die, wanted = random.Random(seed), rows_of(ledger)
    pages = ledger.stat().st_size // PAGE
    hit = die.sample(range(1, pages + 1), k=die.choice([1, 5, pages // 10]))
    for number in hit:
        noise = die.choice([bytes(PAGE), die.randbytes(PAGE), die.randbytes(200), b"\r" * 512])
        overwrite(ledger, number, noise)
    new = tmp_path / "new.db"
    repair(ledger, new)
    require_whole(new)
    tallied(new)
    rows = rows_of(new)
    lost = 0
    for table in TABLES:
        at = {"work": slice(0, 5), "attempts": slice(0, 2), "items": slice(0, 4)}.get(table)
        had = {row[at] if at else row for row in wanted[table]}
        has = {row[at] if at else row for row in rows[table]}
        assert table == "work" or has <= had, table
        lost += len(had - has)
    assert lost <= 120 * len(hit)


def test_pages_of_the_schema_are_no_rows_of_a_ledger(ledger):
    sources = sources_in(ledger)
    overwrite(ledger, 1, bytes(PAGE))
    with closing(salvaged(ledger).rows) as found:
        assert set(found["sources"]) == sources


def sources_in(ledger):
    with closing(sqlite3.connect(ledger)) as database:
        return set(database.execute("SELECT * FROM sources"))


@pytest.mark.parametrize("seed", range(3))
def test_noise_that_looks_like_a_page_has_no_rows(ledger, seed):
    die, wanted = random.Random(seed), rows_of(ledger)
    with ledger.open("ab") as file:
        for kind in (2, 10, 13):
            for count in (0, 1, 3, 1_000):
                head = bytes([kind, 0, 0]) + count.to_bytes(2)
                file.write(head + die.randbytes(PAGE - len(head)))
    assert found_in(ledger)[0] == wanted


def test_rows_of_pages_out_of_use_do_not_come_back(ledger, tmp_path):
    with closing(sqlite3.connect(ledger)) as database:
        database.execute("DELETE FROM pairs WHERE item_id > 40")
        database.commit()
    overwrite(ledger, page_of_root(ledger, "pairs"), bytes(PAGE))
    rows, _ = found_in(ledger)
    assert {row[1] for row in rows["pairs"]} <= set(range(1, 41))


def test_of_nothing_nothing_is_made(tmp_path):
    (tmp_path / "text.db").write_text("no ledger at all " * 1_000)
    for name in ("text.db", "none.db"):
        with pytest.raises(InputError, match="nothing of a ledger can be read"):
            repair(tmp_path / name, tmp_path / "new.db")
    assert [path.name for path in tmp_path.iterdir()] == ["text.db"]
