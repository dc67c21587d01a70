"""Runs the migrations on a ledger file; imported only where one is due."""

from __future__ import annotations

import sqlite3
from importlib.resources import as_file, files
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, NullPool, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from curator.ledger.database.opening import LedgerFailure


def upgrade(path: Path, version: str) -> None:
    """Bring the file at ``path``, empty or a ledger, to ``version``, or leave it as it is.

    Raises:
        LedgerFailure: it cannot be written.
    """
    config = Config()
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    # By itself sqlite3 commits before each change of a table: a crash would leave half a version.
    event.listen(engine, "connect", _leave_transactions_to_us)
    event.listen(engine, "begin", _begin)
    try:
        with as_file(files("curator.ledger.migrations")) as scripts, engine.begin() as connection:
            config.set_main_option("script_location", str(scripts).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, version)
    except SQLAlchemyError as error:
        raise LedgerFailure(str(error).partition("\n")[0]) from error


def _leave_transactions_to_us(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
