"""The images of the latest replies, and what became of their pairs: what a person looks at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from curator.ledger.database import tables
from curator.ledger.database.coding import listing_of
from curator.ledger.records.overview import NewestItem, RatedPair
from curator.ledger.records.requests import Outcome
from curator.ledger.records.work import WorkState


async def newest_items(
    connection: AsyncConnection, campaign_id: int, limit: int
) -> list[NewestItem]:
    """Return up to ``limit`` images, latest reply first; every step goes by an index."""
    attempts = await _latest_attempts(connection, campaign_id, limit)
    work, items = tables.work, tables.items
    rows = await connection.execute(
        select(work.c.state, *items.c)
        .join(items, items.c.id == work.c.item_id)
        .where(work.c.campaign_id == campaign_id, work.c.item_id.in_(attempts))
    )
    items_by_id = {row["id"]: row for row in rows.mappings()}
    pairs = await _pairs(connection, campaign_id, list(attempts))
    return [
        NewestItem(
            item_id=item_id,
            listing=listing_of(items_by_id[item_id]),
            state=WorkState(items_by_id[item_id]["state"]),
            finished_at=attempt.finished_at,
            key_label=attempt.label or "",
            detail=attempt.detail,
            pairs=tuple(pairs.get(item_id, ())),
        )
        for item_id, attempt in attempts.items()
        if item_id in items_by_id
    ]


async def _latest_attempts(
    connection: AsyncConnection, campaign_id: int, limit: int
) -> Mapping[int, Any]:
    """Return the latest attempt that brought a reply, by item, latest first."""
    attempts, keys = tables.attempts, tables.keys
    replied = (Outcome.ANSWERED.value, Outcome.UNUSABLE.value)
    rows = await connection.execute(
        select(attempts.c.item_id, attempts.c.finished_at, attempts.c.detail, keys.c.label)
        .outerjoin(keys, keys.c.fingerprint == attempts.c.key_fingerprint)
        .where(attempts.c.campaign_id == campaign_id, attempts.c.outcome.in_(replied))
        # What is asked again each day is nothing new.
        .where(attempts.c.canary_day.is_(None))
        .order_by(attempts.c.finished_at.desc())
        # An item whose first replies were unusable is there several times.
        .limit(2 * limit)
    )
    latest: dict[int, Any] = {}
    for row in rows:
        latest.setdefault(row.item_id, row)
    return dict(list(latest.items())[:limit])


async def _pairs(
    connection: AsyncConnection, campaign_id: int, item_ids: Sequence[int]
) -> dict[int, list[RatedPair]]:
    pairs, rejected = tables.pairs, tables.rejected_pairs
    accepted = await connection.execute(
        select(pairs)
        .where(pairs.c.campaign_id == campaign_id, pairs.c.item_id.in_(item_ids))
        .order_by(pairs.c.item_id, pairs.c.position)
    )
    refused = await connection.execute(
        select(rejected)
        .where(rejected.c.campaign_id == campaign_id, rejected.c.item_id.in_(item_ids))
        .order_by(rejected.c.item_id, rejected.c.id)
    )
    by_item: dict[int, list[RatedPair]] = {}
    for item_id, pair in (*_accepted(accepted), *_refused(refused)):
        by_item.setdefault(item_id, []).append(pair)
    return by_item


def _accepted(rows: Iterable[Any]) -> Iterable[tuple[int, RatedPair]]:
    for row in rows:
        yield row.item_id, RatedPair(row.question, row.answer, row.difficulty, row.agreement)


def _refused(rows: Iterable[Any]) -> Iterable[tuple[int, RatedPair]]:
    for row in rows:
        yield row.item_id, RatedPair(row.question, row.answer, rule=row.rule)
