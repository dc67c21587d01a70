"""A look at a ledger through plain ``sqlite3``: read-only, and at one moment.

``curator status`` has to answer in less than a second, of which SQLAlchemy's import alone would
take a third; so what reports read is written as SQL, here and in ``reports``, and nowhere else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from curator.ledger.database.opening import LedgerFailure

BUSY_S: Final = 10.0
"""Longest wait for another process that opens or closes the ledger."""


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the ledger at ``path``; all that is read in the block is of one moment.

    Raises:
        LedgerFailure: it cannot be read.
    """
    address = f"{path.resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=BUSY_S)) as connection:
            connection.row_factory = sqlite3.Row
            connection.isolation_level = None
            connection.execute("BEGIN")
            yield connection
    except sqlite3.Error as error:
        raise LedgerFailure(f"the ledger cannot be read any more: {error}") from error
