"""What a clock that ran ahead left in the ledger: times that have not come yet.

They would count as used today on every day until they come. That they lie ahead says no more than
that they were written before now, which is the latest that they can be from.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from curator.ledger.reports.models import asked_models
from curator.ledger.reports.projects import projects_asked
from shared.program.durations import MINUTE_S

# By the index on model, project and time: where nothing lies ahead, nothing is gone through.
_REQUESTS: Final = """
UPDATE attempts SET started_at = :now, finished_at = min(finished_at, :now)
WHERE model = :model AND project = :project AND started_at > :heeded
"""
_OTHERS: Final = (
    # How long a project rests was told from then on.
    """
UPDATE projects SET blocked_until = blocked_until - (updated_at - :now),
  probe_at = probe_at - (updated_at - :now), updated_at = :now WHERE updated_at > :heeded
""",
    "UPDATE learned_limits SET learned_at = :now WHERE learned_at > :heeded",
    "UPDATE model_forms SET told_at = :now WHERE told_at > :heeded",
    "UPDATE model_settings SET told_at = :now WHERE told_at > :heeded",
)


def bring_back(connection: sqlite3.Connection, now: float) -> int:
    """Date what lies more than a minute after ``now`` to now; return how many requests did.

    So they count in the minute and the day of now, in which they may have been sent, and in no
    other.
    """
    values = {"now": now, "heeded": now + MINUTE_S}
    requests = 0
    for model in asked_models(connection):
        for project in projects_asked(connection, model):
            asked = {**values, "model": model, "project": project}
            requests += connection.execute(_REQUESTS, asked).rowcount
    for statement in _OTHERS:
        connection.execute(statement, values)
    return requests
