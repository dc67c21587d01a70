"""Writes groups of entries, each in one transaction and in one visit to a thread of its own.

Through aiosqlite a statement goes to another thread and back three times. The thread does as little
Python as can be: each time that it needs the interpreter it waits for the loop to let go of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from curator.ledger.database.connecting import set_up_connection, translated
from curator.ledger.writing.inbox import PUT, Inbox


class GroupWriter:
    """One connection and one thread; a group that cannot be written whole is not written."""

    def __init__(self, path: Path) -> None:
        self._engine = create_engine(f"sqlite:///{path}", isolation_level="AUTOCOMMIT")
        event.listen(self._engine, "connect", set_up_connection)
        event.listen(self._engine, "connect", _keep_few_pages)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")

    async def write(self, changes: Inbox) -> None:
        """Return once all ``changes`` are committed, in one transaction.

        Raises:
            LedgerFailure: the transaction failed.
        """
        parameters = changes.parameters()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, parameters)

    def close(self) -> None:
        """Finish what is being written and let go of the file."""
        self._thread.shutdown()
        self._engine.dispose()

    def _write(self, parameters: Mapping[str, str | bytes]) -> None:
        # The one statement is the transaction.
        with translated(), self._engine.connect() as connection:
            connection.execute(PUT, parameters)


def _keep_few_pages(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Make do with 4 MB of pages: a run adds at the ends of tables and looks little up."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA cache_size = -4000")
    cursor.close()
