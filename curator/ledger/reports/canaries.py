"""What came of the questions that models were asked again, day by day."""

from __future__ import annotations

import sqlite3
from itertools import groupby

from curator.ledger.records.overview import CanaryDay
from curator.ledger.records.work import WorkState


def canary_days(connection: sqlite3.Connection, campaign_id: int) -> tuple[CanaryDay, ...]:
    """Return what came of a campaign's canaries by model and day, the earliest day first."""
    statement = (
        "SELECT model, day, item_id, state, is_equal, model_version, finished_at"
        " FROM canary_answers WHERE campaign_id = ? AND state != ? ORDER BY model, day, item_id"
    )
    rows = connection.execute(statement, (campaign_id, int(WorkState.PENDING)))
    return tuple(
        _day(model, day, list(group))
        for (model, day), group in groupby(rows, key=lambda row: (row["model"], row["day"]))
    )


def _day(model: str, day: str, rows: list[sqlite3.Row]) -> CanaryDay:
    answers = [row for row in rows if row["state"] == WorkState.DONE]
    latest = max(answers, key=lambda row: float(row["finished_at"]), default=None)
    return CanaryDay(
        model,
        day,
        len(rows),
        len(answers),
        {row["item_id"]: bool(row["is_equal"]) for row in answers if row["is_equal"] is not None},
        "" if latest is None else latest["model_version"],
    )
