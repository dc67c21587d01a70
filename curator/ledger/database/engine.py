"""The ledger through SQLAlchemy and aiosqlite: what is read page by page.

One of two ways to the file; the other is ``curator.ledger.database.plain``.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from curator.ledger.database.plain import BUSY_S, PRAGMAS


def ledger_engine(path: Path) -> AsyncEngine:
    """Return an engine for the ledger at ``path``."""
    # Not as text: a name may hold a question mark, or a percent sign.
    address = URL.create("sqlite+aiosqlite", database=str(path.resolve()))
    engine = create_async_engine(address, connect_args={"timeout": BUSY_S})
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in (*PRAGMAS, "PRAGMA cache_size = -16000"):
        cursor.execute(pragma)
    cursor.close()
