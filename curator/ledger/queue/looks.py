"""How images look, kept once for all campaigns, and which of a campaign look like another one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final

from curator.ledger.records.work import ItemLook, WorkState

_UNSEEN: Final = """
SELECT id, image_path FROM items
WHERE id > ? AND NOT EXISTS (SELECT 1 FROM looks WHERE looks.item_id = items.id)
ORDER BY id LIMIT ?
"""
_KEPT: Final = (
    "INSERT INTO looks (item_id, hash, thumbnail) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
)
# What was asked comes first, then what is asked next. What a job holds is as good as asked.
_STANDING: Final = """
SELECT work.item_id, items.image_path, looks.hash, looks.thumbnail,
  work.state NOT IN (:done, :along) AND work.attempts = 0 AND held.item_id IS NULL AS is_waiting
FROM work JOIN items ON items.id = work.item_id JOIN looks ON looks.item_id = work.item_id
LEFT JOIN batch_requests AS held ON held.campaign_id = work.campaign_id
  AND held.item_id = work.item_id AND held.question IS NULL
WHERE work.campaign_id = :campaign_id AND work.state NOT IN (:dead, :unfit)
  AND looks.hash IS NOT NULL
ORDER BY is_waiting, work.rank
"""
_RETURNED: Final = """
UPDATE work SET state = :pending, reason = '' WHERE campaign_id = :campaign_id AND state = :alike
"""
_SET_ASIDE: Final = """
UPDATE work SET state = ?, reason = ? WHERE campaign_id = ? AND item_id = ? AND state = ?
"""


def unseen(connection: sqlite3.Connection, after: int, limit: int) -> list[tuple[int, str]]:
    """Return up to ``limit`` items above ``after`` of whose looks nothing is known, with paths."""
    return [(row[0], row[1]) for row in connection.execute(_UNSEEN, (after, limit))]


def keep(
    connection: sqlite3.Connection, looks: Iterable[tuple[int, int | None, bytes | None]]
) -> None:
    """Keep how images look: the item, the hash's bits, the thumbnail; ``None`` where unreadable."""
    connection.executemany(_KEPT, looks)


def standing(connection: sqlite3.Connection, campaign_id: int) -> list[ItemLook]:
    """Return the looks of a campaign's images, those that were asked about first."""
    values = {
        "campaign_id": campaign_id,
        "done": int(WorkState.DONE),
        "along": int(WorkState.ALONG),
        "dead": int(WorkState.DEAD),
        "unfit": int(WorkState.UNFIT),
    }
    rows = connection.execute(_STANDING, values)
    return [
        ItemLook(item_id, path, bits, thumbnail, is_waiting=bool(waiting))
        for item_id, path, bits, thumbnail, waiting in rows
    ]


def set_aside(connection: sqlite3.Connection, campaign_id: int, alike: Mapping[int, str]) -> int:
    """Let those items wait no more that look like another, by its path; return how many.

    All that were set aside before wait again first.
    """
    pending, aside = int(WorkState.PENDING), int(WorkState.ALIKE)
    values = {"campaign_id": campaign_id, "pending": pending, "alike": aside}
    connection.execute(_RETURNED, values)
    rows = [
        (aside, f"looks like {path}", campaign_id, item_id, pending)
        for item_id, path in alike.items()
    ]
    connection.executemany(_SET_ASIDE, rows)
    return len(rows)
