"""Keeps the rows that were found in a file of its own, which goes with it: they may be millions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from curator.ledger.repair.cells import Value

_SETTINGS: Final = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -16000")


class Rows:
    """The rows of one table, in the order in which they were found."""

    def __init__(self, database: sqlite3.Connection, name: str) -> None:
        self._database = database
        self._name = name
        self._count = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    def __iter__(self) -> Iterator[tuple[Value, ...]]:
        """Yield them."""
        yield from self._database.execute(f'SELECT * FROM "{self._name}" ORDER BY rowid')  # noqa: S608

    def extend(self, rows: Iterable[Sequence[Value]], width: int) -> None:
        """Add rows of so many values."""
        columns = ", ".join(f"c{number}" for number in range(width))
        if not self._count:
            self._database.execute(f'CREATE TABLE IF NOT EXISTS "{self._name}" ({columns})')
        places = ", ".join("?" * width)
        added = f'INSERT INTO "{self._name}" VALUES ({places})'  # noqa: S608 - a table's own name
        self._count += self._database.executemany(added, rows).rowcount


class Stash(Mapping[str, Rows]):
    """The rows of each table; SQLite removes the file as soon as nobody has it any more."""

    def __init__(self) -> None:
        # Without a name it is a temporary file. (https://sqlite.org/inmemorydb.html)
        self._database = sqlite3.connect("", isolation_level=None)
        for setting in _SETTINGS:
            self._database.execute(f"PRAGMA {setting}")
        self._tables: dict[str, Rows] = {}

    def __getitem__(self, name: str) -> Rows:
        """Return the rows of a table that has any."""
        return self._tables[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the tables that have any."""
        return iter(self._tables)

    def __len__(self) -> int:
        """Return how many tables have any."""
        return len(self._tables)

    def add(self, name: str, rows: Sequence[Sequence[Value]]) -> None:
        """Add rows of the same width to a table."""
        if rows:
            table = self._tables.setdefault(name, Rows(self._database, name))
            table.extend(rows, len(rows[0]))

    def close(self) -> None:
        """Forget all of them."""
        self._database.close()
