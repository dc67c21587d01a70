"""What is no ledger of ours is refused and left alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from curator.ledger import (
    Ledger,
    migrate,
    require_ledger,
    sole_writer,
)
from shared.errors import InputError
from shared.files.locking import LockHeld


def test_a_newer_ledger_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "l.db"
    migrate(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    before = path.read_bytes()
    for opener in (migrate, require_ledger):
        with pytest.raises(InputError, match=r"newer release .*9999"):
            opener(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["l.db"]


def test_what_is_not_a_ledger_is_refused_and_left_alone(tmp_path):
    text, other = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("not a database at all, but long enough to look at")
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE mine (x)")
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(InputError, match="not a ledger"):
            migrate(path)
        assert path.read_bytes() == before
    with pytest.raises(InputError, match="no such ledger"):
        require_ledger(tmp_path / "none.db")
    with pytest.raises(InputError, match="folder"):
        migrate(tmp_path)


def test_a_second_writer_is_told_so(tmp_path):
    path = tmp_path / "l.db"
    with sole_writer(path), pytest.raises(LockHeld, match="another"), sole_writer(path):
        pass
    with sole_writer(path):
        pass


def test_an_sqlite_that_is_too_old_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(InputError, match=r"SQLite 3\.35 or newer"):
        migrate(tmp_path / "l.db")
    assert not (tmp_path / "l.db").exists()


async def test_a_ledger_may_have_any_name(tmp_path):
    path = tmp_path / "what? 50%41 #1;.db"
    migrate(path)
    async with Ledger.opened(path) as ledger:
        assert await ledger.images_dirs() == []
        assert await ledger.reports(1.0) == []
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
