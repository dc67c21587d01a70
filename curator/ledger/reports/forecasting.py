"""What a forecast of a campaign starts from."""

from __future__ import annotations

import sqlite3
from typing import Final

from curator.ledger.records.overview import CampaignReport, Memory, RecentLoad
from curator.ledger.records.requests import Outcome
from curator.ledger.reports.projects import project_records, project_use

LATEST: Final = 500
"""Requests over which means are taken."""

_ANSWERED: Final = Outcome.ANSWERED.value


def memory(connection: sqlite3.Connection, report: CampaignReport, now: float) -> Memory:
    """Return what a forecast of a campaign starts from."""
    models = report.campaign.model_names
    return Memory(
        _recent_load(connection, report.campaign_id),
        project_use(connection, models, now),
        project_records(connection, models),
    )


def _recent_load(connection: sqlite3.Connection, campaign_id: int) -> RecentLoad:
    """Return the means of the latest answered requests of a campaign."""
    statement = (
        "SELECT model, count(*), sum(took_s), avg(input_tokens) FROM ("
        " SELECT model, finished_at - started_at AS took_s, input_tokens FROM attempts"
        " WHERE campaign_id = ? AND outcome = ? AND tier <> 'batch'"
        " ORDER BY finished_at DESC LIMIT ?) GROUP BY model"
    )
    rows = connection.execute(statement, (campaign_id, _ANSWERED, LATEST)).fetchall()
    answered = sum(count for _, count, _, _ in rows)
    took_s = sum(seconds for _, _, seconds, _ in rows)
    tokens = {model: each for model, _, _, each in rows if each}
    return RecentLoad(took_s / answered if answered else 0.0, tokens)
