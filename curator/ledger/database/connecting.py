"""How a connection to the ledger is set up, and what becomes of its errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from curator.ledger.database.opening import LedgerFailure
from curator.ledger.queue import opinions, order
from curator.ledger.writing.inbox import inbox_definitions

_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    # Of a WAL ledger, a crash of the program loses nothing; only one of the machine may.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA busy_timeout = 10000",
    "PRAGMA cache_size = -16000",
)


def set_up_connection(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Set the pragmas of a new connection, give it its inbox and the ledger's functions."""
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    for definition in inbox_definitions():
        cursor.execute(definition)
    cursor.close()
    order.teach_draw(connection)
    connection.create_function(opinions.SHARE_FUNCTION, 2, opinions.pair_share, deterministic=True)


_WAY_OUT: Final = "mend that (free space on its disk?) and run the same command again"


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of the database into ours.

    Raises:
        LedgerFailure: the database gave an error.
    """
    try:
        yield
    except SQLAlchemyError as error:
        reason = str(error).partition("\n")[0]
        raise LedgerFailure(f"the ledger cannot be used any more: {reason}; {_WAY_OUT}") from error
