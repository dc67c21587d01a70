"""Writes down what the migrations make, for new ledgers to be made of at once.

``python -m tests.curator.ledger.database.schema``, after a migration was added.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from curator.ledger import database
from curator.ledger.database.opening import HEAD
from curator.ledger.database.upgrade import upgrade

SCHEMA = Path(database.__path__[0], "schema.sql")


def main() -> None:
    """Write what all the migrations make of nothing."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "l.db")
        upgrade(path, HEAD)
        with closing(sqlite3.connect(path)) as migrated:
            statements = list(migrated.iterdump())
    SCHEMA.write_text("".join(f"{statement}\n" for statement in statements), encoding="utf-8")


if __name__ == "__main__":
    main()
