"""Which models answered a campaign's requests, and what they told of their lives."""

from __future__ import annotations

import sqlite3

from curator.ledger.records.overview import ModelReplies
from shared.endpoints.models.model_status import ModelStatus


def asked_models(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the models that were ever asked."""
    statement = "SELECT DISTINCT model FROM attempt_tallies WHERE requests > 0"
    return frozenset(model for (model,) in connection.execute(statement))


def replies_by_model(connection: sqlite3.Connection, campaign_id: int) -> tuple[ModelReplies, ...]:
    """Count the replies of a campaign by the model asked, the one that answered, and its status."""
    statement = (
        "SELECT model, model_version, model_stage, retires_at, replies, latest_attempt "
        "FROM model_tallies WHERE campaign_id = ? AND replies > 0 ORDER BY 1, 2, 3, 4"
    )
    return tuple(
        ModelReplies(asked, answered_by, ModelStatus(stage, retires_at or None), count, latest)
        for asked, answered_by, stage, retires_at, count, latest in connection.execute(
            statement, (campaign_id,)
        )
    )
