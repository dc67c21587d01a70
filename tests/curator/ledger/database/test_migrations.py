"""Ledgers of older releases are brought up to date, and nothing is lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from curator.ledger import (
    Ledger,
    migrate,
    require_ledger,
)
from curator.ledger.database.opening import HEAD
from curator.ledger.database.tallies import METADATA
from curator.ledger.database.upgrade import upgrade
from shared.errors import InputError
from tests.curator.ledger.ledgers import (
    CAMPAIGN,
    FIRST_RELEASE,
    answered,
    attempt,
    kept_pairs,
    tallied,
)


def test_the_migration_makes_the_tables_that_the_code_uses(tmp_path):
    upgrade(tmp_path / "l.db", HEAD)
    engine = create_engine(f"sqlite:///{tmp_path / 'l.db'}")
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), METADATA)
    engine.dispose()
    assert differences == []


def test_a_new_ledger_is_what_the_migrations_make(tmp_path):
    migrate(tmp_path / "new.db")
    upgrade(tmp_path / "migrated.db", HEAD)
    new, migrated = (_schema(tmp_path / name) for name in ("new.db", "migrated.db"))
    renew = "python -m tests.curator.ledger.database.schema"
    assert new == migrated, f"schema.sql is old: {renew}"


def _schema(path: Path) -> list[tuple]:
    with closing(sqlite3.connect(path)) as database:
        versions = database.execute("SELECT * FROM alembic_version")
        made = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
        return [*versions, *database.execute(made)]


async def test_a_ledger_of_the_first_release_is_copied_and_goes_on(tmp_path):
    path = tmp_path / "l.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(FIRST_RELEASE.read_text())
    before = path.read_bytes()
    require_ledger(path)
    assert path.read_bytes() == before
    migrate(path)
    migrate(path)
    with closing(sqlite3.connect(tmp_path / "l.db.0001.backup")) as backup:
        assert backup.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        assert backup.execute("SELECT count(*) FROM pairs").fetchone() == (2,)
    async with Ledger.opened(path) as ledger:
        campaign_id = await ledger.enrol(CAMPAIGN, 2.0)
        pairs = kept_pairs(path, campaign_id)
        assert [(pair.answer, pair.agreement) for pair in pairs] == [("red", ""), ("wood", "")]
        (item,) = await ledger.pending(campaign_id, 0, 10)
        begun = attempt(ledger, campaign_id, item.item_id)
        await ledger.begin(begun)
        await ledger.finish(answered(begun))
        (report,) = await ledger.reports(10.0)
    assert (report.progress.done, report.pairs) == (2, 4)


def test_a_migration_that_breaks_off_leaves_the_old_version(tmp_path):
    path = tmp_path / "l.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(FIRST_RELEASE.read_text())
        # The version cannot be written, which is what a migration does last.
        database.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON alembic_version "
            "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
        database.commit()
        tables = database.execute("SELECT sql FROM sqlite_master").fetchall()
        with pytest.raises(InputError, match="disk full"):
            migrate(path)
        assert database.execute("SELECT sql FROM sqlite_master").fetchall() == tables


def test_a_ledger_without_tallies_is_counted_when_it_is_migrated(tmp_path):
    path = tmp_path / "l.db"
    upgrade(path, "0005")
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            """
            INSERT INTO work VALUES (1, 1, 1, 0, '', 2.0, 1), (1, 2, 0, 0, '', NULL, 2);
            INSERT INTO work VALUES (1, 3, 0, 0, '', NULL, 3), (2, 1, 2, 5, 'no', 2.0, 1);
            INSERT INTO pairs VALUES (1, 1, 0, 'Q?', 'red', '', ''), (1, 1, 1, 'R?', 'red', '', '');
            INSERT INTO second_opinions VALUES (1, 1, 'Q?', 1, 0, '', 'red', 1, 3.0);
            INSERT INTO second_opinions VALUES (1, 1, 'R?', 0, 0, '', '', 0, NULL);
            INSERT INTO second_opinions VALUES (1, 1, 'gone?', 1, 0, '', 'red', 1, 3.0);
            """
        )
    migrate(path)
    assert (tmp_path / "l.db.0005.backup").exists()
    work, opinions, *_ = tallied(path)
    assert work == {(1, 1, 1), (1, 0, 2), (2, 2, 1)}
    assert opinions == {(1, 1, 1, 1), (1, 0, 0, 1)}
