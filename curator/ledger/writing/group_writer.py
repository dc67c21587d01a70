"""Writes groups of entries and single changes, each in one transaction, in a thread of its own.

The thread does as little Python as can be: each time that it needs the interpreter it waits for the
loop to let go of it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from curator.ledger.database.plain import PRAGMAS, connected
from curator.ledger.errors import translated
from curator.ledger.writing.inbox import PUT, Inbox, inbox_definitions

Told = TypeVar("Told")


class GroupWriter:
    """One connection and one thread; what cannot be written whole is not written.

    SQLite has one writer: queueing here, a long import cannot time the others out.
    """

    def __init__(self, path: Path, set_up: Callable[[sqlite3.Connection], None]) -> None:
        """Open the file at ``path``; the connection goes through ``set_up``."""
        with translated(sqlite3.Error):
            self._connection = connected(path, "rwc")
            self._connection.row_factory = sqlite3.Row
            # A run adds at the ends of tables and looks little up: 4 MB of pages do.
            for statement in (*PRAGMAS, "PRAGMA cache_size = -4000", *inbox_definitions()):
                self._connection.execute(statement)
            set_up(self._connection)
            # Only a connection that has read takes the WAL away as it closes, being the last one.
            self._connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")

    async def write(self, changes: Inbox) -> None:
        """Return once all ``changes`` are committed, in one transaction.

        Raises:
            LedgerFailure: the transaction failed.
        """
        parameters = changes.parameters()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, parameters)

    async def change(self, change: Callable[[sqlite3.Connection], Told]) -> Told:
        """Return what ``change`` returns, once all that it does is committed.

        Raises:
            LedgerFailure: the transaction failed.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._change, change)

    def close(self) -> None:
        """Finish what is being written and let go of the file."""
        self._thread.shutdown()
        self._connection.close()

    def _write(self, parameters: Mapping[str, str | bytes]) -> None:
        # The one statement is the transaction.
        with translated(sqlite3.Error):
            self._connection.execute(PUT, parameters)

    def _change(self, change: Callable[[sqlite3.Connection], Told]) -> Told:
        with translated(sqlite3.Error):
            self._connection.execute("BEGIN IMMEDIATE")
            # Commits, or rolls back what did not come to its end.
            with self._connection:
                return change(self._connection)
