"""What is remembered of projects: what they have used of their quotas, and what they taught."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from shared.endpoints.keys.quota import LEARNED_FOR_S, LearnedLimit, Window
from shared.endpoints.keys.quota_day import day_counts_from
from shared.endpoints.pool.records import Meter, ProjectRecord, ProjectUse
from shared.endpoints.pool.usage import LONGEST_ARRIVAL_S
from shared.program.durations import MINUTE_S

LOST_FOR_S: Final = 180.0
"""A request without an end that was begun so long ago may still have left in the last minute."""


def project_use(
    connection: sqlite3.Connection, models: Iterable[str], now: float
) -> dict[Meter, ProjectUse]:
    """Return what each project has used of its minute and day at ``now``, for each model.

    A request that was begun and never finished counts with its estimate, and as sent now: it may
    have left at any moment until the process ended. Those of batch jobs do not count here.
    """
    statement = (
        "SELECT iif(finished_at IS NULL, ?, started_at) AS sent_at, "
        "iif(input_tokens > 0, input_tokens, reserved_tokens) FROM attempts "
        "WHERE model = ? AND project = ? AND started_at > ? "
        "AND (finished_at IS NULL OR started_at > ?) AND tier <> 'batch' ORDER BY sent_at"
    )
    used: dict[Meter, ProjectUse] = {}
    since = now - MINUTE_S - LONGEST_ARRIVAL_S
    asked = (Meter(name, model) for model in models for name in projects_asked(connection, model))
    for meter in asked:
        project, model = meter
        rows = connection.execute(statement, (now, model, project, now - LOST_FOR_S, since))
        minute = tuple((at, spent) for at, spent in rows)
        today = requests_since(connection, model, project, day_counts_from(now))
        if minute or today:
            used[meter] = ProjectUse(minute, today)
    return used


def projects_asked(connection: sqlite3.Connection, model: str) -> list[str]:
    """Return all projects that a model was asked through.

    From one to the next by the index: a plain DISTINCT goes through all attempts.
    """
    statement = (
        "WITH RECURSIVE asked(project) AS ("
        " SELECT min(project) FROM attempts WHERE model = :model"
        " UNION ALL"
        " SELECT (SELECT min(project) FROM attempts"
        "  WHERE model = :model AND project > asked.project)"
        " FROM asked WHERE project IS NOT NULL"
        ") SELECT project FROM asked WHERE project IS NOT NULL"
    )
    return [row[0] for row in connection.execute(statement, {"model": model})]


def requests_since(connection: sqlite3.Connection, model: str, project: str, since: float) -> int:
    """Return how many requests were begun through a project at ``since`` or later.

    Those of batch jobs, which have a quota of their own, do not count.
    """
    # Project by project, because the index on all three columns serves such a question only.
    statement = (
        "SELECT count(*) FROM attempts WHERE model = ? AND project = ? AND started_at >= ?"
        " AND tier <> 'batch'"
    )
    return int(connection.execute(statement, (model, project, since)).fetchone()[0])


def model_forms(connection: sqlite3.Connection, annotator: str, now: float) -> dict[str, str]:
    """Return in which form models are asked, by name; a refusal is believed as long as a limit."""
    statement = "SELECT model, form FROM model_forms WHERE annotator = ? AND told_at > ?"
    rows = connection.execute(statement, (annotator, now - LEARNED_FOR_S))
    return {row["model"]: row["form"] for row in rows}


def left_out_settings(
    connection: sqlite3.Connection, annotator: str, now: float
) -> dict[str, list[str]]:
    """Return what models are not asked for, by name; a refusal is believed as long as a limit."""
    statement = (
        "SELECT model, setting FROM model_settings WHERE annotator = ? AND told_at > ? "
        "ORDER BY 1, 2"
    )
    left_out: dict[str, list[str]] = {}
    for model, setting in connection.execute(statement, (annotator, now - LEARNED_FOR_S)):
        left_out.setdefault(model, []).append(setting)
    return left_out


def project_records(
    connection: sqlite3.Connection, models: Iterable[str]
) -> dict[Meter, ProjectRecord]:
    """Return what is remembered of each project for ``models``."""
    records: dict[Meter, ProjectRecord] = {}
    for model in models:
        records |= _records_of(connection, model)
    return records


def _records_of(connection: sqlite3.Connection, model: str) -> dict[Meter, ProjectRecord]:
    learned: dict[str, dict[str, LearnedLimit]] = {}
    for row in connection.execute("SELECT * FROM learned_limits WHERE model = ?", (model,)):
        limit = LearnedLimit(row["value"], row["stated"], row["learned_at"])
        learned.setdefault(row["project"], {})[row["name"]] = limit
    return {
        Meter(row["project"], model): ProjectRecord(
            project=row["project"],
            model=model,
            blocked_until=row["blocked_until"],
            blocked_window=Window(row["blocked_window"]),
            probe_at=row["probe_at"],
            learned=learned.get(row["project"], {}),
            refused_because=row["refused_because"],
        )
        for row in connection.execute("SELECT * FROM projects WHERE model = ?", (model,))
    }
