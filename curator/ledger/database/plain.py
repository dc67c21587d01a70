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

from curator.ledger.database.identity import newest_beside
from curator.ledger.errors import LedgerBusy, LedgerFailure, is_busy, told

BUSY_S: Final = 10.0
"""Longest wait for another process that opens, closes or writes the ledger."""
PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    # Of a WAL ledger, a crash of the program loses nothing; only one of the machine may.
    "PRAGMA synchronous = NORMAL",
)
"""What every connection that writes begins with."""
_NO_ROOM: Final = frozenset(
    {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}
)
PATIENCE_S: Final = 60.0
"""Longest wait of a run, whose replies are paid for, for whoever holds the ledger."""


def connected(
    path: Path, mode: Literal["ro", "rw", "rwc"], busy_s: float = BUSY_S
) -> sqlite3.Connection:
    """Return a new connection to the file at ``path``, on which transactions are begun by hand.

    It may go from one thread to another, as long as one at a time uses it.

    Raises:
        sqlite3.Error: it cannot be opened.
    """
    address = f"{path.resolve().as_uri()}?mode={mode}"
    return _connected(read_only_address(path) if mode == "ro" else address, busy_s)


def read_only_address(path: Path) -> str:
    """Return the URI by which the ledger at ``path`` is read.

    SQLite makes a file beside a ledger even to read it. On a disk that is full or may not be
    written it cannot; where the ledger has no newer changes beside it, it can do without.
    """
    address = f"{path.resolve().as_uri()}?mode=ro"
    with closing(_connected(address, BUSY_S)) as probe:
        return f"{address}&immutable=1" if _needs_unchanged(probe, path) else address


def _connected(address: str, busy_s: float) -> sqlite3.Connection:
    return sqlite3.connect(
        address, uri=True, timeout=busy_s, isolation_level=None, check_same_thread=False
    )


def _needs_unchanged(connection: sqlite3.Connection, path: Path) -> bool:
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1")
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode & 0xFF in _NO_ROOM and not newest_beside(path.resolve())
    except sqlite3.DatabaseError:
        return False
    return False


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
        if is_busy(error):
            raise LedgerBusy("another process writes the ledger; try again") from error
        raise LedgerFailure(f"the ledger cannot be written: {told(error)}") from error
    except sqlite3.Error as error:
        raise LedgerFailure(f"the ledger cannot be written: {told(error)}") from error
