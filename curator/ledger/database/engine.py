"""The ledger through SQLAlchemy and aiosqlite: what is read page by page, and single changes.

One of two ways to the file; the other is ``curator.ledger.database.plain``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import URL, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from curator.ledger.database.plain import BUSY_S, PRAGMAS

OnConnect = Callable[[DBAPIConnection, ConnectionPoolEntry], None]


def ledger_engine(path: Path, *set_up: OnConnect) -> AsyncEngine:
    """Return an engine for the ledger at ``path``, each connection of which goes through these."""
    # Not as text: a name may hold a question mark, or a percent sign.
    address = URL.create("sqlite+aiosqlite", database=str(path.resolve()))
    engine = create_async_engine(address, connect_args={"timeout": BUSY_S})
    for step in (_set_pragmas, *set_up):
        event.listen(engine.sync_engine, "connect", step)
    return engine


def _set_pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in (*PRAGMAS, "PRAGMA cache_size = -16000"):
        cursor.execute(pragma)
    cursor.close()
