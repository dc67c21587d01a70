"""Second opinions in the ledger: which pairs are chosen, and which wait."""

from __future__ import annotations

import sqlite3
from typing import Final

from curator.ledger.database.coding import listing_of
from curator.ledger.records.work import PairItem, WorkState

_CHOSEN: Final = """
INSERT INTO second_opinions (
  campaign_id, item_id, question, state, attempts, reason, answer, agrees
) SELECT campaign_id, item_id, question, 0, 0, '', '', 0 FROM pairs
JOIN items ON items.id = item_id
WHERE campaign_id = ? AND pair_share(image_path, question) < ? ON CONFLICT DO NOTHING
"""
# First the page, by its index, and then what belongs to it: as one join, SQLite goes through all
# pairs of the campaign. What a batch job holds does not wait.
_WAITING: Final = """
WITH page AS (
  SELECT * FROM second_opinions
  WHERE campaign_id = :campaign_id AND state = :pending AND (item_id, question) > (:item, :question)
    AND EXISTS (
      SELECT 1 FROM pairs WHERE pairs.campaign_id = second_opinions.campaign_id
        AND pairs.item_id = second_opinions.item_id AND pairs.question = second_opinions.question
    )
    AND NOT EXISTS (
      SELECT 1 FROM batch_requests AS held WHERE held.campaign_id = second_opinions.campaign_id
        AND held.item_id = second_opinions.item_id AND held.question = second_opinions.question
    )
  ORDER BY item_id, question LIMIT :limit
)
SELECT page.attempts, page.question, pairs.answer, attempts.model, items.* FROM page
JOIN pairs USING (campaign_id, item_id, question)
LEFT JOIN attempts ON attempts.id = pairs.attempt_id
JOIN items ON items.id = page.item_id
ORDER BY page.item_id, page.question
"""


def choose(connection: sqlite3.Connection, campaign_id: int, share: float) -> None:
    """Queue the pairs of a campaign below ``share``; others leave, unless they were asked about."""
    unasked = "DELETE FROM second_opinions WHERE campaign_id = ? AND state = ? AND attempts = 0"
    connection.execute(unasked, (campaign_id, int(WorkState.PENDING)))
    connection.execute(_CHOSEN, (campaign_id, share))


def waiting(
    connection: sqlite3.Connection, campaign_id: int, after: tuple[int, str], limit: int
) -> list[PairItem]:
    """Return up to ``limit`` pairs that wait, behind item and question ``after``, in order."""
    values = {
        "campaign_id": campaign_id,
        "pending": int(WorkState.PENDING),
        "item": after[0],
        "question": after[1],
        "limit": limit,
    }
    return [
        PairItem(
            row["id"],
            listing_of(row),
            row["attempts"],
            row["question"],
            row["answer"],
            row["model"] or "",
        )
        for row in connection.execute(_WAITING, values)
    ]


def retry_dead(connection: sqlite3.Connection, campaign_id: int) -> None:
    """Return the pairs that were given up to the queue, as new."""
    statement = (
        "UPDATE second_opinions SET state = ?, attempts = 0, reason = '', finished_at = NULL"
        " WHERE campaign_id = ? AND state = ?"
    )
    connection.execute(statement, (int(WorkState.PENDING), campaign_id, int(WorkState.DEAD)))
