"""The keys of a ledger: what each did, and which failed for good."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

from curator.keys.quota import Quota, corrected
from curator.keys.quota_day import day_start
from curator.ledger.records.overview import KeyReport
from curator.ledger.reports.projects import requests_since
from curator.pool.records import Meter, ProjectRecord, RemovedKey

NOT_IN_FILE: Final = "not among the keys of the last run"
"""Why a key does not serve that has not failed for good."""


def key_reports(
    connection: sqlite3.Connection,
    model: str,
    outcomes: Mapping[str, Mapping[str, int]],
    records: Mapping[Meter, ProjectRecord],
    now: float,
) -> tuple[KeyReport, ...]:
    """Return all keys by label; ``outcomes`` are those of a campaign, by fingerprint."""
    rows = connection.execute("SELECT * FROM keys ORDER BY label").fetchall()
    since = day_start(now)
    projects = dict.fromkeys(row["project"] for row in rows)
    today = {name: requests_since(connection, model, name, since) for name in projects}
    of_project = {name: records.get(Meter(name, model)) for name in projects}
    return tuple(
        KeyReport(
            fingerprint=row["fingerprint"],
            label=row["label"],
            project=row["project"],
            removed_because=row["removed_because"] or _refused(of_project[row["project"]]),
            outcomes=outcomes.get(row["fingerprint"], {}),
            quota=_quota_of(row, of_project[row["project"]], now),
            project_today=today[row["project"]],
            removed_at=row["updated_at"] if _has_left(row) else None,
        )
        for row in rows
    )


def _has_left(row: sqlite3.Row) -> bool:
    return row["removed_because"] not in {"", NOT_IN_FILE}


def removed_keys(connection: sqlite3.Connection) -> dict[str, RemovedKey]:
    """Return the keys that failed for good, by fingerprint.

    One that left because nothing came of its requests has not: no server said that of the key.
    """
    return {
        row["fingerprint"]: RemovedKey(
            label=row["label"],
            project=row["project"],
            quota=Quota(rpm=row["rpm"], tpm=row["tpm"], rpd=row["rpd"]),
            reason=row["removed_because"],
            at=row["updated_at"],
        )
        for row in connection.execute("SELECT * FROM keys WHERE failed_for_good = 1")
    }


def _refused(record: ProjectRecord | None) -> str:
    return record.refused_because if record else ""


def _quota_of(row: sqlite3.Row, record: ProjectRecord | None, now: float) -> Quota:
    stated = Quota(rpm=row["rpm"], tpm=row["tpm"], rpd=row["rpd"])
    return corrected(stated, record.learned, now) if record else stated
