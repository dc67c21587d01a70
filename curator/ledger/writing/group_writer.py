"""Writes groups of entries and single changes, each in one transaction, in a thread of its own.

The thread does as little Python as can be: each time that it needs the interpreter it waits for the
loop to let go of it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeVar

from curator.ledger.database.plain import PATIENCE_S, PRAGMAS, connected
from curator.ledger.errors import translated
from curator.ledger.writing.inbox import PUT, Inbox, inbox_definitions

Told = TypeVar("Told")


class GroupWriter:
    """One connection and one thread; what cannot be written whole is not written.

    SQLite has one writer: queueing here, a long import cannot time the others out. The file is
    opened for the first change, so that who only reads needs not be allowed any.
    """

    def __init__(self, path: Path, set_up: Callable[[sqlite3.Connection], None]) -> None:
        """Write to the file at ``path``; the connection goes through ``set_up``."""
        self._path = path
        self._set_up = set_up
        self._opened: sqlite3.Connection | None = None
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
        if self._opened is not None:
            self._opened.close()

    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            with ExitStack() as failing:
                new = failing.enter_context(closing(connected(self._path, "rw", PATIENCE_S)))
                new.row_factory = sqlite3.Row
                # A run adds at the ends of tables and looks little up: 4 MB of pages do.
                for statement in (*PRAGMAS, "PRAGMA cache_size = -4000", *inbox_definitions()):
                    new.execute(statement)
                self._set_up(new)
                # Only a connection that has read takes the WAL away as it closes, being the last.
                new.execute("SELECT 1 FROM sqlite_schema").fetchone()
                failing.pop_all()
            self._opened = new
        return self._opened

    def _write(self, parameters: Mapping[str, str | bytes]) -> None:
        # The one statement is the transaction.
        with translated(sqlite3.Error):
            self._connection().execute(PUT, parameters)

    def _change(self, change: Callable[[sqlite3.Connection], Told]) -> Told:
        with translated(sqlite3.Error):
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            # Commits, or rolls back what did not come to its end.
            with connection:
                return change(connection)
