"""Pictures of one listing that go along in the request about the first of them (``--views``)."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from curator.ledger.queue.batches import IMAGE_IS_HELD
from curator.ledger.records.work import View, WorkItem, WorkState

# What a job holds stays with its pictures until the job is settled.
_RETURNED: Final = """
UPDATE work SET state = :pending, reason = '', asked_with = NULL
WHERE campaign_id = :campaign_id AND state = :along AND asked_with IN (
  SELECT work.item_id FROM work WHERE work.campaign_id = :campaign_id AND work.state != :done
    AND NOT {held}
)
"""
# A listing may have one image twice in different words; what is told must be true of all pictures.
# Not all builds wrote it with the same spaces.
_WAITING: Final = """
SELECT work.item_id, work.attempts, items.image_path, items.listing_id, json(items.metadata)
FROM work JOIN items ON items.id = work.item_id
WHERE work.campaign_id = :campaign_id AND work.state = :pending AND NOT {held}
ORDER BY items.id
"""
_SET_ASIDE: Final = """
UPDATE work SET state = ?, reason = ?, asked_with = ? WHERE campaign_id = ? AND item_id = ?
"""
# By the index of what goes along: few, where a state has many. A plus keeps others out.
_ALONG: Final = """
SELECT work.asked_with, items.id, items.image_path FROM work JOIN items ON items.id = work.item_id
WHERE work.asked_with IN (SELECT value FROM json_each(?)) AND +work.campaign_id = ?
  AND +work.state = ? ORDER BY items.id
"""


def send_back(connection: sqlite3.Connection, campaign_id: int) -> None:
    """Let wait by itself what goes along with a picture that is not done: it may be given up."""
    values = _values(campaign_id)
    connection.execute(_RETURNED.format(held=IMAGE_IS_HELD), values)


def send_along(connection: sqlite3.Connection, campaign_id: int, most: int) -> None:
    """Let up to ``most`` pictures of a listing wait as one, the first in the catalogue's order.

    What went along before with a picture that is not done is shared out anew. A picture that
    failed by itself goes along with none.
    """
    send_back(connection, campaign_id)
    leaders: dict[tuple[str, str], tuple[int, str, int]] = {}
    rows = []
    waiting = connection.execute(_WAITING.format(held=IMAGE_IS_HELD), _values(campaign_id))
    for item_id, attempts, path, *listing in waiting:
        first, first_path, count = leaders.get(key := (listing[0], listing[1]), (0, "", most))
        if count < most and not attempts:
            told = f"goes along with {first_path}"
            rows.append((int(WorkState.ALONG), told, first, campaign_id, item_id))
            leaders[key] = first, first_path, count + 1
        else:
            leaders[key] = item_id, path, 1
    connection.executemany(_SET_ASIDE, rows)


def _values(campaign_id: int) -> dict[str, int]:
    return {
        "campaign_id": campaign_id,
        "pending": int(WorkState.PENDING),
        "along": int(WorkState.ALONG),
        "done": int(WorkState.DONE),
    }


def views_of(
    connection: sqlite3.Connection, campaign_id: int, item_ids: Iterable[int]
) -> dict[int, tuple[View, ...]]:
    """Return the pictures that go along with each of some items, in the catalogue's order."""
    found: defaultdict[int, list[View]] = defaultdict(list)
    which = json.dumps(list(item_ids)), campaign_id, int(WorkState.ALONG)
    for first, item_id, path in connection.execute(_ALONG, which):
        found[first].append(View(item_id, path))
    return {first: tuple(views) for first, views in found.items()}


def with_views(
    connection: sqlite3.Connection, campaign_id: int, items: Sequence[WorkItem]
) -> list[WorkItem]:
    """Return ``items`` with the pictures that go along with them."""
    found = views_of(connection, campaign_id, [item.item_id for item in items])
    if not found:
        return list(items)
    return [replace(item, views=found.get(item.item_id, ())) for item in items]
