"""The keys of a ledger: what each did, and which failed for good."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from string import digits
from typing import Final

from curator.ledger.records.overview import KeyReport
from curator.ledger.reports.projects import requests_since
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.quota import Quota, corrected
from shared.endpoints.keys.quota_day import day_start
from shared.endpoints.pool.records import Meter, ModelUse, ProjectRecord, RemovedKey

NOT_IN_FILE: Final = "not among the keys of the last run"
"""Why a key does not serve that has not failed for good."""


def key_reports(
    connection: sqlite3.Connection,
    models: Sequence[AskedModel],
    outcomes: Mapping[str, Mapping[str, int]],
    records: Mapping[Meter, ProjectRecord],
    now: float,
) -> tuple[KeyReport, ...]:
    """Return all keys by label; ``outcomes`` are those of a campaign, by fingerprint."""
    rows = connection.execute("SELECT * FROM keys").fetchall()
    rows.sort(key=lambda row: as_counted(row["label"]))
    since = day_start(now)
    meters = {Meter(row["project"], model.name) for row in rows for model in models}
    today = {
        meter: requests_since(connection, meter.model, meter.project, since) for meter in meters
    }
    reports = []
    for row in rows:
        stated = _stated(row)
        uses = []
        for model in models:
            meter = Meter(row["project"], model.name)
            record = records.get(meter, ProjectRecord(*meter))
            quota = corrected(model.quota_with(stated), record.learned, now)
            uses.append(ModelUse(model.name, today[meter], quota, record.refused_because))
        reports.append(
            KeyReport(
                fingerprint=row["fingerprint"],
                label=row["label"],
                project=row["project"],
                removed_because=row["removed_because"] or why_none(uses),
                outcomes=outcomes.get(row["fingerprint"], {}),
                stated=stated,
                uses=tuple(uses),
                removed_at=row["updated_at"] if _has_left(row) else None,
            )
        )
    return tuple(reports)


def as_counted(label: str) -> list[tuple[int, str]]:
    """Return by what labels are sorted as people count: the second before the tenth.

    >>> sorted(["key-10", "key-2", "ada"], key=as_counted)
    ['ada', 'key-2', 'key-10']
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", label)
    return [(int(part), "") if part[0] in digits else (-1, part) for part in parts]


def why_none(uses: Sequence[ModelUse]) -> str:
    """Return why a project may use none of the models; empty where it may use one."""
    reasons = [use.refused_because for use in uses]
    return "; ".join(dict.fromkeys(reasons)) if all(reasons) else ""


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
            quota=_stated(row),
            reason=row["removed_because"],
            at=row["updated_at"],
        )
        for row in connection.execute("SELECT * FROM keys WHERE failed_for_good = 1")
    }


def _stated(row: sqlite3.Row) -> Quota:
    return Quota(rpm=row["rpm"], tpm=row["tpm"], rpd=row["rpd"])
