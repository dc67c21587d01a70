"""Writes groups of entries, each in one transaction and in one visit to a thread of its own.

Through aiosqlite every statement goes to another thread and back three times, and a group has half
a dozen. sqlite3 also lets go of the interpreter at each step of a statement and then has to wait
for it: hence several rows in one ``VALUES``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.dml import Delete, Insert, Update

from curator.ledger.connecting import set_up_connection, translated
from curator.ledger.rows import Entry, Row, group_statements

ROWS_A_STEP: Final = 10
_DIALECT: Final = sqlite.dialect(paramstyle="qmark")


class GroupWriter:
    """One connection and one thread; a group that cannot be written whole is not written."""

    def __init__(self, path: Path) -> None:
        self._engine = create_engine(f"sqlite:///{path}")
        event.listen(self._engine, "connect", set_up_connection)
        event.listen(self._engine, "connect", _keep_few_pages)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")

    async def write(self, entries: Sequence[Entry]) -> None:
        """Return once ``entries`` are committed, in one transaction.

        Raises:
            LedgerFailure: the transaction failed.
        """
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, entries)

    def close(self) -> None:
        """Finish what is being written and let go of the file."""
        self._thread.shutdown()
        self._engine.dispose()

    def _write(self, entries: Sequence[Entry]) -> None:
        with translated(), self._engine.begin() as connection:
            for statement, rows in group_statements(entries):
                _execute(connection, statement, rows)


def _keep_few_pages(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Make do with 4 MB of pages: a run adds at the ends of tables and looks little up."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA cache_size = -4000")
    cursor.close()


def _execute(
    connection: Connection, statement: Insert | Update | Delete, rows: Sequence[Row]
) -> None:
    """Write ``rows``, which all have the same columns."""
    text, columns = _text_of(statement, tuple(rows[0]))
    values = [tuple(map(row.__getitem__, columns)) for row in rows]
    whole = 0
    if isinstance(statement, Insert) and statement._post_values_clause is None:  # noqa: SLF001
        whole = len(rows) // ROWS_A_STEP * ROWS_A_STEP
    if whole:
        steps = range(0, whole, ROWS_A_STEP)
        flat = [tuple(chain.from_iterable(values[at : at + ROWS_A_STEP])) for at in steps]
        head, _, row = text.rpartition(" VALUES ")
        connection.exec_driver_sql(f"{head} VALUES {', '.join([row] * ROWS_A_STEP)}", flat)
    if rest := values[whole:]:
        connection.exec_driver_sql(text, rest)


@lru_cache(maxsize=64)
def _text_of(
    statement: Insert | Update | Delete, columns: tuple[str, ...]
) -> tuple[str, tuple[str, ...]]:
    """Return the SQL of ``statement`` for rows with ``columns``, and their order in it."""
    named = list(columns) if isinstance(statement, Insert) else None
    compiled = statement.compile(dialect=_DIALECT, column_keys=named)
    return str(compiled), tuple(compiled.positiontup or ())
