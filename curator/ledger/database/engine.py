"""The ledger through SQLAlchemy and aiosqlite: what is read page by page.

One of two ways to the file; the other is ``curator.ledger.database.plain``.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from curator.ledger.database.plain import BUSY_S, read_only_address


def ledger_engine(path: Path) -> AsyncEngine:
    """Return an engine that reads the ledger at ``path``."""
    address, _, words = read_only_address(path).partition("?")
    query = dict(word.split("=") for word in words.split("&"))
    url = URL.create("sqlite+aiosqlite", database=address, query={**query, "uri": "true"})
    engine = create_async_engine(url, connect_args={"timeout": BUSY_S})
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA cache_size = -16000")
    cursor.close()
