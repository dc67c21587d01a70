"""The keys of a run, by fingerprint: these are in service, and no others."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from curator.ledger.database.coding import Row
from curator.ledger.reports.keys import NOT_IN_FILE
from shared.endpoints.keys.key import Key

_LEFT: Final = "UPDATE keys SET removed_because = ?, updated_at = ? WHERE removed_because = ''"
_IN_SERVICE: Final = """
INSERT INTO keys (
  fingerprint, label, project, removed_because, updated_at, rpm, tpm, rpd, failed_for_good
) VALUES (:fingerprint, :label, :project, '', :now, :rpm, :tpm, :rpd, 0)
ON CONFLICT (fingerprint) DO UPDATE SET label = excluded.label, project = excluded.project,
  removed_because = excluded.removed_because, updated_at = excluded.updated_at,
  rpm = excluded.rpm, tpm = excluded.tpm, rpd = excluded.rpd,
  failed_for_good = excluded.failed_for_good
"""


def put_in_service(connection: sqlite3.Connection, keys: Iterable[Key], now: float) -> None:
    """Store the keys of a run; what failed for good and is not among them stays as it is."""
    connection.execute(_LEFT, (NOT_IN_FILE, now))
    connection.executemany(_IN_SERVICE, [_key_row(key, now) for key in keys])


def _key_row(key: Key, now: float) -> Row:
    return {
        "fingerprint": key.fingerprint,
        "label": key.label,
        "project": key.project,
        "now": now,
        "rpm": key.quota.rpm,
        "tpm": key.quota.tpm,
        "rpd": key.quota.rpd,
    }
