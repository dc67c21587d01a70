"""What came of the questions that models were asked again, day by day."""

from __future__ import annotations

import sqlite3

from curator.ledger.records.overview import CanaryDay
from curator.ledger.records.work import WorkState


def canary_days(connection: sqlite3.Connection, campaign_id: int) -> tuple[CanaryDay, ...]:
    """Return what came of a campaign's canaries by model and day, the earliest day first."""
    # SQLite takes the bare column from the row with the maximum: the latest that has an answer.
    statement = (
        "SELECT model, day, count(*), sum(state = ?), count(is_equal), coalesce(sum(is_equal), 0),"
        " model_version, max(iif(state = ?, finished_at, 0)) FROM canary_answers"
        " WHERE campaign_id = ? AND state != ? GROUP BY model, day ORDER BY model, day"
    )
    done = int(WorkState.DONE)
    values = (done, done, campaign_id, int(WorkState.PENDING))
    return tuple(CanaryDay(*row[:7]) for row in connection.execute(statement, values))
