"""Canaries in the ledger: which images and questions are chosen, and which wait on a day."""

from __future__ import annotations

import sqlite3
from typing import Final

from curator.ledger.database.coding import listing_of
from curator.ledger.queue.batches import IMAGE_IS_HELD
from curator.ledger.queue.functions import pair_share
from curator.ledger.queue.views import with_views
from curator.ledger.records.work import CanaryItem, WorkItem, WorkState

# In an order that the images' paths alone decide, whatever was asked first.
_FIRST: Final = f"""
SELECT work.state, work.attempts, work.rank, items.*, {IMAGE_IS_HELD} AS is_held FROM work
JOIN items ON items.id = work.item_id
WHERE work.campaign_id = ? AND work.state NOT IN (?, ?, ?)
ORDER BY abo_draw(0, items.image_path) LIMIT ?
"""  # noqa: S608 - of constants alone
# The pairs of further images, image by image.
_CANDIDATES: Final = """
WITH chosen AS (
  SELECT items.id, items.image_path, abo_draw(0, items.image_path) AS place FROM work
  JOIN items ON items.id = work.item_id
  WHERE work.campaign_id = :campaign_id AND work.state IN (:done, :along)
    AND work.item_id NOT IN (SELECT item_id FROM canaries WHERE campaign_id = :campaign_id)
    AND EXISTS (
      SELECT 1 FROM pairs WHERE pairs.campaign_id = :campaign_id AND pairs.item_id = work.item_id
    )
  ORDER BY place LIMIT :count
)
SELECT pairs.item_id, pairs.question, chosen.image_path FROM pairs
JOIN chosen ON chosen.id = pairs.item_id
WHERE pairs.campaign_id = :campaign_id ORDER BY chosen.place
"""
_CHOSEN: Final = """
INSERT INTO canaries (campaign_id, place, item_id, question) VALUES (?, ?, ?, ?)
"""
_WAITING: Final = """
SELECT canaries.question, today.attempts, items.*, (
  SELECT earlier.answer FROM canary_answers AS earlier
  WHERE earlier.campaign_id = canaries.campaign_id AND earlier.model = :model
    AND earlier.item_id = canaries.item_id AND earlier.question = canaries.question
    AND earlier.state = :done AND earlier.day < :day
  ORDER BY earlier.day LIMIT 1
) AS first_answer
FROM canaries JOIN items ON items.id = canaries.item_id
LEFT JOIN canary_answers AS today ON today.campaign_id = canaries.campaign_id
  AND today.model = :model AND today.day = :day AND today.item_id = canaries.item_id
WHERE canaries.campaign_id = :campaign_id AND canaries.place < :count
  AND coalesce(today.state, :pending) = :pending
ORDER BY canaries.place
"""


def first_waiting(connection: sqlite3.Connection, campaign_id: int, count: int) -> list[WorkItem]:
    """Return those of the ``count`` images that are to be chosen which have no questions yet.

    None where so many were chosen before.
    """
    if _chosen(connection, campaign_id) >= count:
        return []
    never = int(WorkState.DEAD), int(WorkState.UNFIT), int(WorkState.ALONG)
    rows = connection.execute(_FIRST, (campaign_id, *never, count))
    items = [
        WorkItem(row["id"], listing_of(row), row["attempts"], row["rank"])
        for row in rows
        if row["state"] == WorkState.PENDING and not row["is_held"]
    ]
    return with_views(connection, campaign_id, items)


def choose(connection: sqlite3.Connection, campaign_id: int, count: int) -> int:
    """Choose images that have pairs until there are ``count``; return how many there are.

    Of each, one question. What is chosen stays so.
    """
    chosen = _chosen(connection, campaign_id)
    if chosen < count:
        questions: dict[int, list[tuple[float, str]]] = {}
        values = {
            "campaign_id": campaign_id,
            "done": int(WorkState.DONE),
            "along": int(WorkState.ALONG),
            "count": count - chosen,
        }
        for item_id, question, image_path in connection.execute(_CANDIDATES, values):
            place = pair_share(image_path, question)
            questions.setdefault(item_id, []).append((place, question))
        new = [
            (campaign_id, place, item_id, min(those)[1])
            for place, (item_id, those) in enumerate(questions.items(), start=chosen)
        ]
        connection.executemany(_CHOSEN, new)
        chosen += len(new)
    return min(chosen, count)


def _chosen(connection: sqlite3.Connection, campaign_id: int) -> int:
    statement = "SELECT count(*) FROM canaries WHERE campaign_id = ?"
    return int(connection.execute(statement, (campaign_id,)).fetchone()[0])


def waiting(
    connection: sqlite3.Connection, campaign_id: int, model: str, day: str, count: int
) -> list[CanaryItem]:
    """Return what ``model`` is still to be asked on ``day``, of the first ``count`` canaries."""
    values = {
        "campaign_id": campaign_id,
        "model": model,
        "day": day,
        "count": count,
        "pending": int(WorkState.PENDING),
        "done": int(WorkState.DONE),
    }
    return [
        CanaryItem(
            row["id"],
            listing_of(row),
            row["attempts"] or 0,
            row["question"],
            model,
            day,
            row["first_answer"],
        )
        for row in connection.execute(_WAITING, values)
    ]
