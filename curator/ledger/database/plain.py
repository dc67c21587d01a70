"""The ledger through plain ``sqlite3``: all that a run does, looks, copies and migrations.

One of two ways to the file; the other is ``curator.ledger.database.engine``, whose import alone
would take longer than ``curator status`` does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, Literal

from curator.ledger.errors import LedgerBusy, LedgerFailure, told

BUSY_S: Final = 10.0
"""Longest wait for another process that opens, closes or writes the ledger."""
PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    # Of a WAL ledger, a crash of the program loses nothing; only one of the machine may.
    "PRAGMA synchronous = NORMAL",
)
"""What every connection that writes begins with."""


def connected(
    path: Path, mode: Literal["ro", "rw", "rwc"], busy_s: float = BUSY_S
) -> sqlite3.Connection:
    """Return a new connection to the file at ``path``, on which transactions are begun by hand.

    It may go from one thread to another, as long as one at a time uses it.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=busy_s,
        isolation_level=None,
        check_same_thread=False,
    )


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the ledger at ``path``; all that is read in the block is of one moment.

    Raises:
        LedgerFailure: it cannot be read.
    """
    try:
        with closing(connected(path, "ro")) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("BEGIN")
            yield connection
    except sqlite3.Error as error:
        raise LedgerFailure(f"the ledger cannot be read any more: {told(error)}") from error


@contextmanager
def changing(path: Path, busy_s: float = BUSY_S) -> Iterator[sqlite3.Connection]:
    """Open the ledger at ``path`` for one short transaction, beside whoever else writes it.

    SQLite lets one write at a time; who comes second waits, ``busy_s`` at most.

    Raises:
        LedgerBusy: another process was writing all that time.
        LedgerFailure: it cannot be written.
    """
    try:
        with closing(connected(path, "rw", busy_s)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute(PRAGMAS[1])
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                yield connection
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise LedgerBusy("another process writes the ledger; try again") from error
        raise LedgerFailure(f"the ledger cannot be written: {told(error)}") from error
    except sqlite3.Error as error:
        raise LedgerFailure(f"the ledger cannot be written: {told(error)}") from error
