"""Runs the migrations on a ledger file; imported only where one is due."""

from __future__ import annotations

from functools import partial
from importlib.resources import as_file, files
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, NullPool, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from curator.ledger.database.plain import connected
from curator.ledger.errors import LedgerFailure


def upgrade(path: Path, version: str) -> None:
    """Bring the file at ``path``, empty or a ledger, to ``version``, or leave it as it is.

    Raises:
        LedgerFailure: it cannot be written.
    """
    config = Config()
    # By itself sqlite3 commits before each change of a table: a crash would leave half a version.
    # So Alembic is lent one of our own connections, and the transaction is ours.
    lent = partial(connected, path, "rwc")
    engine = create_engine("sqlite://", creator=lent, poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    try:
        with as_file(files("curator.ledger.migrations")) as scripts, engine.begin() as connection:
            config.set_main_option("script_location", str(scripts).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, version)
    except SQLAlchemyError as error:
        raise LedgerFailure(str(error).partition("\n")[0]) from error


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
