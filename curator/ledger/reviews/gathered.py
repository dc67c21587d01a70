"""The pairs of a campaign on which people decided: few, whatever the size of the ledger."""

from __future__ import annotations

import sqlite3

from curator.ledger.records.review import PairKey, SeenPair
from curator.ledger.reviews.browsing import pairs_at


def judged_pairs(connection: sqlite3.Connection, campaign_id: int) -> list[SeenPair]:
    """Return the pairs that a campaign has and people decided on, in the order of its images."""
    rows = connection.execute("SELECT DISTINCT item_id, question, answer FROM reviews")
    keys = [PairKey(row[0], row[1], row[2]) for row in rows]
    pairs = pairs_at(connection, campaign_id, keys) if keys else {}
    return sorted(pairs.values(), key=lambda pair: pair.place)


def without_pair(connection: sqlite3.Connection) -> int:
    """Return how many verdicts are about pairs that no campaign has any more."""
    (count,) = connection.execute(
        "SELECT count(*) FROM reviews AS r WHERE NOT EXISTS (SELECT 1 FROM campaigns AS c "
        "JOIN pairs AS p ON p.campaign_id = c.id AND p.item_id = r.item_id "
        "WHERE p.question = r.question AND p.answer = r.answer)"
    ).fetchone()
    return int(count)
