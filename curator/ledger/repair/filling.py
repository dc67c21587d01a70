"""Fills a new ledger with the rows that were saved; its own triggers keep the tallies.

All but that of pairs, which ``mending`` keeps.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from curator.ledger.database.coding import unpack_reply
from curator.ledger.database.opening import HEAD, KNOWN_VERSIONS, create, upgrade_to
from curator.ledger.database.plain import connected
from curator.ledger.repair.cells import Value
from curator.ledger.repair.salvage import Salvage

_VERSION: Final = "alembic_version"
_TALLIES: Final = "_tallies"
_FIRST: Final = "attempts"
_REPLIES: Final = "replies"
_BEGUN: Final[Mapping[str, Value]] = {
    "outcome": "open",
    "model_version": "",
    "input_tokens": 0,
    "output_tokens": 0,
    "thought_tokens": 0,
    "cached_tokens": 0,
    "image_tokens": 0,
}
"""What of an attempt its triggers count as it changes, and how that stands at first."""


def filled(part: Path, found: Salvage) -> dict[str, int]:
    """Make a ledger of what was ``found`` at ``part``; return how many rows each table has.

    It is made in the form in which the rows were kept, and then brought to today's.

    Raises:
        LedgerFailure: it cannot be brought to today's form.
        sqlite3.Error: it cannot be written.
    """
    told = [str(version) for (version,) in found.rows.get(_VERSION, ())]
    version = next((each for each in told if each in KNOWN_VERSIONS), HEAD)
    if version == HEAD:
        create(part)
    else:
        upgrade_to(part, version)
    with closing(connected(part, "rw")) as new:
        new.execute("BEGIN IMMEDIATE")
        counts = {table: _fill(new, table, found) for table in _tables(new)}
        new.execute("COMMIT")
    if version != HEAD:
        upgrade_to(part)
    return counts


def _tables(new: sqlite3.Connection) -> list[str]:
    """Return the tables whose rows are counted, attempts first: pairs are counted by them."""
    made = new.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    names = [name for (name,) in made if not name.endswith(_TALLIES) and name != _VERSION]
    return sorted(names, key=lambda name: (name != _FIRST, name))


def _fill(new: sqlite3.Connection, table: str, found: Salvage) -> int:
    shape = found.shapes.get(table)
    if shape is None:
        return 0
    known = {row[1] for row in new.execute(f"PRAGMA table_info({table})")}
    names = [name for name in shape.names if name in known]
    places = [shape.names.index(name) for name in names]
    rows = (tuple(row[place] for place in places) for row in found.rows.get(table, ()))
    if table == _REPLIES:
        rows = (row for row in rows if _is_whole(row[names.index("body")]))
    # Of two rows with one key, the one that was found first.
    statement = (
        f"INSERT INTO {table} ({', '.join(names)})"  # noqa: S608 - a table's own names
        f" VALUES ({', '.join('?' * len(names))}) ON CONFLICT DO NOTHING"
    )
    if table != _FIRST:
        return new.executemany(statement, rows).rowcount
    return _fill_attempts(new, statement, names, rows)


def _is_whole(body: Value) -> bool:
    """Return whether a reply is as it was kept: it carries a sum of its own."""
    try:
        return isinstance(body, bytes) and bool(unpack_reply(body))
    except (zlib.error, UnicodeDecodeError):
        return False


def _fill_attempts(
    new: sqlite3.Connection, statement: str, names: Sequence[str], rows: Iterable[Sequence[Value]]
) -> int:
    """Begin each attempt and finish it, as it came about: so it is counted."""
    changed = [name for name in names if name in _BEGUN]
    assigned = ", ".join(f"{name} = ?" for name in changed)
    finish = f"UPDATE {_FIRST} SET {assigned} WHERE id = ?"  # noqa: S608 - as above
    places = {name: place for place, name in enumerate(names)}
    count = 0
    for row in rows:
        begun = [_BEGUN.get(name, value) for name, value in zip(names, row, strict=True)]
        if new.execute(statement, begun).rowcount:
            count += 1
            told = [row[places[name]] for name in changed]
            new.execute(finish, (*told, row[places["id"]]))
    return count
