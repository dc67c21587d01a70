"""The order of a campaign's queue: the catalogue's, or shuffled by a seed.

A shuffled queue makes every part that was worked on a fair sample of the catalogue. The order
depends on the seed and the images' paths alone, and each item keeps its place in the file, so that
it is the same after a stop. What is added later queues behind all that waits.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from curator.ledger.database.coding import Row
from curator.ledger.records.work import WorkState

_BY_CATALOGUE: Final = "items.id"
_BY_SEED: Final = "abo_draw(:seed, items.image_path)"

_HIGHEST_RANK: Final = "SELECT coalesce(max(rank), 0) FROM work WHERE campaign_id = ? AND state = ?"
_QUEUED: Final = """
INSERT INTO work (campaign_id, item_id, state, attempts, reason, rank)
SELECT :campaign_id, items.id, :pending, 0, '', row_number() OVER (ORDER BY {key}) + :last_rank
FROM items WHERE {which}
"""
_ADDED: Final = "items.id > :last_item"
_MISSING: Final = (
    "NOT EXISTS (SELECT 1 FROM work"
    " WHERE (work.campaign_id, work.item_id) = (:campaign_id, items.id))"
)
_MANY: Final = 10_000
_TRIGGER: Final = "SELECT sql FROM sqlite_master WHERE name = 'work_added'"
_COUNTED: Final = """
INSERT INTO work_tallies SELECT :campaign_id, :pending, :added WHERE :added > 0
ON CONFLICT DO UPDATE SET items = items + excluded.items
"""
_SHUFFLED: Final = """
UPDATE work SET rank = places.place FROM (
  SELECT work.item_id, row_number() OVER (ORDER BY abo_draw(:seed, items.image_path)) AS place
  FROM work JOIN items ON items.id = work.item_id WHERE work.campaign_id = :campaign_id
) AS places
WHERE work.campaign_id = :campaign_id AND work.item_id = places.item_id
"""


def enrol_new(connection: sqlite3.Connection, campaign_id: int, seed: int | None) -> None:
    """Queue all items that a campaign does not have yet, behind those that it has."""
    _enrol(connection, campaign_id, seed, _ADDED)


def enrol_missing(connection: sqlite3.Connection, campaign_id: int) -> None:
    """Queue items whose place in a queue was lost, be others behind them or not."""
    _enrol(connection, campaign_id, None, _MISSING)


def _enrol(connection: sqlite3.Connection, campaign_id: int, seed: int | None, which: str) -> None:
    last_item, last_rank = _last(connection, campaign_id)
    key = _BY_CATALOGUE if seed is None else _BY_SEED
    values = {
        "campaign_id": campaign_id,
        "pending": int(WorkState.PENDING),
        "last_item": last_item,
        "last_rank": last_rank,
        "seed": seed,
    }
    queued = _QUEUED.format(key=key, which=which)
    [newest] = connection.execute("SELECT coalesce(max(id), 0) FROM items").fetchone()
    if newest - last_item < _MANY:
        connection.execute(queued, values)
    else:
        _queue_many(connection, queued, values)


def _queue_many(connection: sqlite3.Connection, queued: str, values: Row) -> None:
    """Do the same without the trigger that counts row by row, which takes a third of the time.

    All in the transaction of the caller, with which the trigger returns if that fails.
    """
    [trigger] = connection.execute(_TRIGGER).fetchone()
    connection.execute("DROP TRIGGER work_added")
    added = connection.execute(queued, values).rowcount
    connection.execute(_COUNTED, {**values, "added": added})
    connection.execute(trigger)


def _last(connection: sqlite3.Connection, campaign_id: int) -> tuple[int, int]:
    """Return the highest item and the highest rank in a queue, 0 where it is empty.

    Each by an index, for which the ranks have to be asked for state by state.
    """
    highest = "SELECT coalesce(max(item_id), 0) FROM work WHERE campaign_id = ?"
    [item_id] = connection.execute(highest, (campaign_id,)).fetchone()
    ranks = (
        connection.execute(_HIGHEST_RANK, (campaign_id, int(state))).fetchone()[0]
        for state in WorkState
    )
    return item_id, max(ranks)


def reorder(connection: sqlite3.Connection, campaign_id: int, seed: int) -> None:
    """Shuffle the whole queue of a campaign again."""
    connection.execute(_SHUFFLED, {"campaign_id": campaign_id, "seed": seed})
