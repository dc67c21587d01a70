"""The course of a campaign: how fast it goes, and went."""

from __future__ import annotations

import sqlite3
from typing import Final

from curator.ledger.records.requests import Outcome
from curator.ledger.reports.pace import RECENT_S, History, SpanCounts, history_of, width_for
from shared.program.durations import DAY_S

MOST_RECENT: Final = 5_000
"""Items that the present rate is taken from, at most."""

_ANSWERED: Final = Outcome.ANSWERED.value


def recent_pace(connection: sqlite3.Connection, campaign_id: int, now: float) -> tuple[int, float]:
    """Return the items answered recently, and the seconds that this took until ``now``.

    At a high rate, those are the latest: counting minutes of them would take a second.
    """
    statement = (
        "SELECT count(*), min(started_at), min(finished_at) FROM ("
        " SELECT started_at, finished_at FROM attempts"
        " WHERE campaign_id = ? AND finished_at > ? AND outcome = ? AND question IS NULL"
        " ORDER BY finished_at DESC LIMIT ?)"
    )
    values = (campaign_id, now - RECENT_S, _ANSWERED, MOST_RECENT)
    count, started_at, finished_at = connection.execute(statement, values).fetchone()
    if not count:
        return 0, RECENT_S
    first = started_at if count < MOST_RECENT else finished_at
    return count, max(1.0, now - first)


def history(connection: sqlite3.Connection, campaign_id: int, now: float) -> History:
    """Return the course of a campaign: since its first request, or over the last day."""
    first_of = "SELECT min(finished_at) FROM attempts WHERE campaign_id = ? AND finished_at > ?"
    [first] = connection.execute(first_of, (campaign_id, now - DAY_S)).fetchone()
    start = now if first is None else min(first, now)
    width_s = width_for(now - start)
    statement = (
        "SELECT CAST((finished_at - :start) / :width AS INTEGER) AS number, outcome, count(*) "
        "FROM attempts "
        "WHERE campaign_id = :campaign AND finished_at >= :start AND finished_at <= :now "
        "GROUP BY number, outcome"
    )
    values = {"campaign": campaign_id, "start": start, "width": width_s, "now": now}
    rows = connection.execute(statement, values)
    return history_of(
        start, width_s, ((number, _counts(outcome, count)) for number, outcome, count in rows)
    )


def _counts(outcome: str, count: int) -> SpanCounts:
    if outcome == _ANSWERED:
        return SpanCounts(answered=count)
    if outcome == Outcome.RATE_LIMITED.value:
        return SpanCounts(limited=count)
    return SpanCounts(failed=count)
