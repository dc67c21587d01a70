"""What the rows of each table and index look like, by which a page is told whose it is."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from curator.ledger.repair.cells import Kind, Row, Value
from shared.value_class import value_class

_OF_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "INTEGER": (int,),
    "FLOAT": (int, float),
    "TEXT": (str,),
    "BLOB": (bytes,),
}
"""What SQLite keeps in a column of each type of ours; a whole number is kept as one."""
_MAKES: Final = re.compile(r"\s*CREATE\s+(UNIQUE\s+)?(TABLE|INDEX)\s", re.IGNORECASE)


@value_class
class Column:
    """A column as it lies in a row; ``default`` is what a row has that was kept without it."""

    name: str
    types: tuple[type, ...]
    may_be_null: bool
    is_number: bool = False
    default: Value = None
    has_default: bool = False

    def fits(self, value: Value) -> bool:
        """Return whether ``value`` may stand there."""
        if value is None:
            return self.may_be_null or self.is_number
        # No text of a ledger has a NUL; pages that were overwritten are full of them.
        is_whole = not isinstance(value, str) or "\0" not in value
        return not self.is_number and isinstance(value, self.types) and is_whole


@dataclass(frozen=True)
class Shape:
    """A table, or an index of one, whose rows have ``columns`` in this order."""

    name: str
    columns: Sequence[Column]
    is_of_table: bool
    """Whether its rows have numbers of their own."""
    is_index: bool = False
    """Whether what stands in it stands in a table as well."""

    def fits(self, row: Row) -> bool:
        """Return whether ``row`` can be one of it."""
        missing = self.columns[len(row.values) :]
        return (
            0 < len(row.values) <= len(self.columns)
            and all(column.has_default for column in missing)
            and all(map(Column.fits, self.columns, row.values))
        )

    def may_hold(self, kind: Kind, rows: Sequence[Row]) -> bool:
        """Return whether a page of this kind with these rows can be one of it."""
        return kind.is_of_table is self.is_of_table and bool(rows) and all(map(self.fits, rows))

    @cached_property
    def names(self) -> Sequence[str]:
        """The columns' names."""
        return [column.name for column in self.columns]

    def cells(self, row: Row) -> tuple[Value, ...]:
        """Return the values of ``row`` in the order of ``names``."""
        values = [*row.values, *(column.default for column in self.columns[len(row.values) :])]
        return tuple(
            row.number if column.is_number else value
            for column, value in zip(self.columns, values, strict=True)
        )


SCHEMA: Final = Shape(
    "sqlite_master",
    [
        *(Column(name, (str,), may_be_null=False) for name in ("type", "name", "tbl_name")),
        Column("rootpage", (int,), may_be_null=False),
        Column("sql", (str,), may_be_null=True),
    ],
    is_of_table=True,
    is_index=True,
)
"""The table of all tables, of which nothing is to be saved as if it were a ledger's own."""


def shapes_of(definitions: Iterable[str]) -> dict[str, Shape]:
    """Return what ``CREATE`` statements make, by name; those that make nothing are passed over."""
    with closing(sqlite3.connect(":memory:")) as database:
        for statement in definitions:
            if not _MAKES.match(statement):
                continue
            # One statement at most, and what makes nothing is passed over.
            with suppress(sqlite3.Error, sqlite3.Warning, ValueError):
                database.execute(statement)
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%'"
        names = [name for (name,) in database.execute(f"{tables} ESCAPE '!'")]
        made = [shape for name in names for shape in _of_table(database, name)]
    return {shape.name: shape for shape in made}


def _has_numbers(database: sqlite3.Connection, name: str) -> bool:
    """Return whether the rows of a table have numbers of their own."""
    try:
        database.execute(f'SELECT rowid FROM "{name}" LIMIT 0')  # noqa: S608 - a name it told
    except sqlite3.OperationalError:
        return False
    return True


def _of_table(database: sqlite3.Connection, name: str) -> list[Shape]:
    is_plain = _has_numbers(database, name)
    columns = {
        row[0]: _column(database, row[1:], is_plain=is_plain)
        for row in database.execute("SELECT * FROM pragma_table_info(?)", (name,)).fetchall()
    }
    shapes = [Shape(name, list(columns.values()), is_of_table=True)] if is_plain else []
    number = Column("rowid", (int,), may_be_null=False)
    listed = "SELECT name, origin FROM pragma_index_list(?)"
    for index, origin in database.execute(listed, (name,)).fetchall():
        places = database.execute("SELECT cid FROM pragma_index_xinfo(?)", (index,)).fetchall()
        kept = [_of_index(columns.get(cid, number)) for (cid,) in places]
        is_table = not is_plain and origin == "pk"
        shape = Shape(name if is_table else index, kept, is_of_table=False, is_index=not is_table)
        shapes.append(shape)
    return shapes


def _column(
    database: sqlite3.Connection, told: tuple[str, str, int, str | None, int], *, is_plain: bool
) -> Column:
    name, kind, not_null, default, key = told
    return Column(
        name,
        _OF_TYPES.get(kind.upper(), (int, float, str, bytes)),
        may_be_null=not not_null,
        is_number=is_plain and bool(key) and kind.upper() == "INTEGER",
        default=None if default is None else _literal(database, default),
        has_default=default is not None or not not_null,
    )


def _of_index(column: Column) -> Column:
    """Return a column as an index keeps it: whole, and a row's number as any other."""
    return Column(column.name, column.types, column.may_be_null and not column.is_number)


def _literal(database: sqlite3.Connection, text: str) -> Value:
    """Return the value of a default, as the column's own statement gives it."""
    value: Value = database.execute(f"SELECT {text}").fetchone()[0]
    return value
