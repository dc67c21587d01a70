"""The keys of a run, by fingerprint: these are in service, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from curator.keys.key import Key
from curator.ledger.database import tables
from curator.ledger.database.coding import Row
from curator.ledger.reports.keys import NOT_IN_FILE

_keys: Final = tables.keys


async def put_in_service(connection: AsyncConnection, keys: Iterable[Key], now: float) -> None:
    """Store the keys of a run; what failed for good and is not among them stays as it is."""
    values = sqlite_insert(_keys)
    upsert = values.on_conflict_do_update(["fingerprint"], set_=dict(values.excluded))
    leave = update(_keys).where(_keys.c.removed_because == "")
    await connection.execute(leave.values(removed_because=NOT_IN_FILE, updated_at=now))
    await connection.execute(upsert, [_key_row(key, now) for key in keys])


def _key_row(key: Key, now: float) -> Row:
    return {
        "fingerprint": key.fingerprint,
        "label": key.label,
        "project": key.project,
        "removed_because": "",
        "updated_at": now,
        "rpm": key.quota.rpm,
        "tpm": key.quota.tpm,
        "rpd": key.quota.rpd,
        "failed_for_good": 0,
    }
