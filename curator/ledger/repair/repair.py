"""Saves what is left of a ledger into a new one."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from curator.ledger.database.plain import connected
from curator.ledger.errors import LedgerFailure, told
from curator.ledger.repair.cells import Value
from curator.ledger.repair.filling import filled
from curator.ledger.repair.log_replies import logged_replies
from curator.ledger.repair.mending import Mended, mend
from curator.ledger.repair.salvage import Salvage, salvaged
from shared.errors import InputError
from shared.value_class import value_class

_SHOWN: Final = ("campaigns", "items", "work", "attempts", "replies", "pairs", "rejected_pairs")
"""The tables that are always told of; of the others, those that had or lost anything."""
_UNJUDGED: Final = """
SELECT DISTINCT attempts.campaign_id, attempts.item_id
FROM attempts JOIN replies ON replies.attempt_id = attempts.id
LEFT JOIN (
  SELECT attempt_id, count(*) AS judged FROM (
    SELECT attempt_id FROM pairs UNION ALL SELECT attempt_id FROM rejected_pairs
  ) GROUP BY attempt_id
) AS counted ON counted.attempt_id = attempts.id
WHERE question IS NULL AND (judged IS NULL OR judged < drafts)
"""


@value_class
class Saved:
    """What became of one table's rows.

    ``lost`` is how many are known to be missing, ``None`` where pages are gone and nobody counted
    what stood in them; ``dropped`` are those about images that nobody knows any more.
    """

    table: str
    from_file: int
    from_log: int
    dropped: int
    lost: int | None


@value_class
class Repaired:
    """What was saved by table, and which items' replies are to be judged again, by campaign."""

    tables: Sequence[Saved]
    stray_pages: int
    unjudged: Mapping[int, frozenset[int]]


def repair(ledger: Path, part: Path) -> Repaired:
    """Make a ledger at ``part`` of all that can be saved of the one at ``ledger``.

    That one may be gone, cut off or empty: what its log tells is added. It is left as it is.

    Raises:
        InputError: nothing can be saved.
        LedgerFailure: the new one cannot be written.
    """
    found = salvaged(ledger.resolve())
    with closing(found.rows):
        return _repaired(ledger, found, part)


def _repaired(ledger: Path, found: Salvage, part: Path) -> Repaired:
    logged = logged_replies(ledger)
    if not logged and not any(found.rows.get(table) for table in _SHOWN):
        raise InputError(f"{ledger}: nothing of a ledger can be read there, nor in a log beside it")
    try:
        counts = filled(part, found)
        with closing(connected(part, "rw")) as new:
            new.execute("BEGIN IMMEDIATE")
            mended = mend(new, logged)
            new.execute("COMMIT")
            unjudged = new.execute(_UNJUDGED).fetchall()
    except sqlite3.Error as error:
        raise LedgerFailure(f"the new ledger cannot be written: {told(error)}") from error
    items: defaultdict[int, set[int]] = defaultdict(set)
    for campaign_id, item_id in unjudged:
        items[campaign_id].add(item_id)
    return Repaired(
        _told(found, counts, mended),
        found.stray_pages,
        {campaign_id: frozenset(some) for campaign_id, some in items.items()},
    )


def require_whole(part: Path) -> None:
    """Check that SQLite finds nothing wrong with the ledger at ``part``.

    Raises:
        LedgerFailure: it does.
    """
    with closing(connected(part, "ro")) as new:
        [first, *_] = new.execute("PRAGMA integrity_check").fetchall()
    if first != ("ok",):
        raise LedgerFailure(f"the new ledger is not whole: {first[0]}")


def _told(found: Salvage, counts: Mapping[str, int], mended: Mended) -> list[Saved]:
    tallied = _tallied(found)
    tables = []
    for name, count in sorted(counts.items()):
        from_log, dropped = mended.from_log.get(name, 0), mended.dropped.get(name, 0)
        lost = 0 if not found.is_damaged(name) else None
        if name in tallied:
            lost = max(0, tallied[name] - count)
        if name in _SHOWN or count or from_log or lost != 0:
            tables.append(Saved(name, count, from_log, dropped, lost))
    return tables


def _tallied(found: Salvage) -> dict[str, int]:
    """Return how many rows tables had, by the ledger's own tallies, where those can be read."""
    if any(found.is_damaged(table) for table in found.shapes if table.endswith("_tallies")):
        return {}
    tallied = {
        "attempts": _sum(found, "attempt_tallies", "requests"),
        "work": _sum(found, "work_tallies", "items"),
        "pairs": _sum(found, "pair_tallies", "pairs", rule=""),
    }
    everything = _sum(found, "pair_tallies", "pairs")
    tallied["rejected_pairs"] = everything - tallied["pairs"]
    return tallied if any(tallied.values()) else {}


def _sum(found: Salvage, table: str, column: str, **where: Value) -> int:
    shape = found.shapes.get(table)
    if shape is None or column not in shape.names:
        return 0
    rows = (dict(zip(shape.names, row, strict=True)) for row in found.rows.get(table, ()))
    counted = (row[column] for row in rows if where.items() <= row.items())
    return sum(number for number in counted if isinstance(number, int))
