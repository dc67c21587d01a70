"""Writes groups of entries, each in one transaction and in one visit to a thread of its own.

Through aiosqlite a statement goes to another thread and back three times. The thread does as little
Python as can be: each time that it needs the interpreter it waits for the loop to let go of it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from curator.ledger.database.plain import PRAGMAS, connected
from curator.ledger.errors import translated
from curator.ledger.writing.inbox import PUT, Inbox, inbox_definitions


class GroupWriter:
    """One connection and one thread; a group that cannot be written whole is not written."""

    def __init__(self, path: Path) -> None:
        with translated(sqlite3.Error):
            self._connection = connected(path, "rwc")
            # A run adds at the ends of tables and looks little up: 4 MB of pages do.
            for statement in (*PRAGMAS, "PRAGMA cache_size = -4000", *inbox_definitions()):
                self._connection.execute(statement)
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
        self._connection.close()

    def _write(self, parameters: Mapping[str, str | bytes]) -> None:
        # The one statement is the transaction.
        with translated(sqlite3.Error):
            self._connection.execute(PUT, parameters)
