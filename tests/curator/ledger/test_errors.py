"""What is said of what goes wrong with a ledger."""

from __future__ import annotations

import sqlite3

from curator.ledger.errors import told


def test_a_full_disk_is_named_where_sqlite_speaks_of_its_input():
    error = sqlite3.OperationalError("disk I/O error")
    assert told(error).startswith("disk I/O error: its disk is full or fails")
    error.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
    assert told(error).startswith("no room on its disk")
