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


def has_pair(connection: sqlite3.Connection, key: PairKey) -> bool:
    """Return whether some campaign has the pair that a verdict is about."""
    (is_there,) = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM campaigns AS c JOIN pairs AS p "
        "ON p.campaign_id = c.id AND p.item_id = ? WHERE p.question = ? AND p.answer = ?)",
        (key.item_id, key.question, key.answer),
    ).fetchone()
    return bool(is_there)
