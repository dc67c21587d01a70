"""The replies that a campaign got, for judging them again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Final

from sqlalchemy import RowMapping, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from curator.ledger.database import tables
from curator.ledger.database.coding import kept_reply, listing_of
from curator.ledger.records.work import RepliedItem, RepliedPair, WorkItem, WorkState

_attempts, _replies = tables.attempts, tables.replies
_work, _items, _pairs = tables.work, tables.items, tables.pairs
_opinions = tables.second_opinions
_views = tables.work.alias("views")
_SAME_PAIR: Final = and_(
    _pairs.c.campaign_id == _opinions.c.campaign_id,
    _pairs.c.item_id == _opinions.c.item_id,
    _pairs.c.question == _opinions.c.question,
)


async def replied_attempts(connection: AsyncConnection, campaign_id: int) -> list[tuple[int, int]]:
    """Return item and attempt of each reply, by item, oldest first."""
    statement = (
        select(_attempts.c.item_id, _attempts.c.id)
        .join(_replies, _replies.c.attempt_id == _attempts.c.id)
        .where(_attempts.c.campaign_id == campaign_id, _attempts.c.question.is_(None))
        .order_by(_attempts.c.item_id, _attempts.c.id)
    )
    return [(item_id, attempt_id) for item_id, attempt_id in await connection.execute(statement)]


async def replied_items(
    connection: AsyncConnection, campaign_id: int, attempt_ids: Sequence[int]
) -> list[RepliedItem]:
    """Return the items that these attempts were about, with the replies, by item."""
    views = select(_views.c.item_id).where(
        _views.c.campaign_id == campaign_id, _views.c.asked_with == _items.c.id
    )
    maker = (
        select(func.max(_pairs.c.attempt_id))
        .where(_pairs.c.campaign_id == campaign_id)
        .where((_pairs.c.item_id == _items.c.id) | _pairs.c.item_id.in_(views))
        .scalar_subquery()
    )
    statement = (
        select(_replies.c.attempt_id, _replies.c.body, _work.c.state, _work.c.attempts)
        .add_columns(_attempts.c.annotator, _attempts.c.model, _attempts.c.model_version)
        .add_columns(_attempts.c.views)
        .add_columns(_work.c.reason, maker.label("maker_id"), *_items.c)
        .join(_attempts, _attempts.c.id == _replies.c.attempt_id)
        .join(_items, _items.c.id == _attempts.c.item_id)
        .join(_work, _work.c.item_id == _items.c.id)
        .where(_work.c.campaign_id == campaign_id, _replies.c.attempt_id.in_(attempt_ids))
        .order_by(_items.c.id, _replies.c.attempt_id)
    )
    rows = (await connection.execute(statement)).mappings().all()
    along = await _along(connection, campaign_id, {row["id"] for row in rows if row["views"]})
    groups = (list(group) for _, group in groupby(rows, key=itemgetter("id")))
    return [_replied_item(group[0], group, along) for group in groups]


async def _along(
    connection: AsyncConnection, campaign_id: int, item_ids: Collection[int]
) -> set[tuple[int, int]]:
    """Return which pictures go along with which of some items."""
    if not item_ids:
        return set()
    statement = (
        select(_work.c.asked_with, _work.c.item_id)
        .where(_work.c.campaign_id == campaign_id, _work.c.asked_with.in_(item_ids))
        .where(_work.c.state == int(WorkState.ALONG))
    )
    return {(first, item_id) for first, item_id in await connection.execute(statement)}


def _replied_item(
    first: RowMapping, rows: Iterable[RowMapping], along: Collection[tuple[int, int]]
) -> RepliedItem:
    replies = map(kept_reply, rows)
    return RepliedItem(
        item=WorkItem(first["id"], listing_of(first), first["attempts"]),
        state=WorkState(first["state"]),
        reason=first["reason"],
        replies=tuple(
            replace(
                reply,
                views=tuple(
                    item_id if (first["id"], item_id) in along else 0 for item_id in reply.views
                ),
            )
            for reply in replies
        ),
        maker_id=first["maker_id"] or 0,
    )


async def replied_pairs(
    connection: AsyncConnection, campaign_id: int, after: int, limit: int
) -> list[RepliedPair]:
    """Return pairs with the replies to their questions, of attempts with ids above ``after``."""
    statement = (
        select(_attempts.c.id.label("attempt_id"), _attempts.c.annotator, _attempts.c.model)
        .add_columns(_attempts.c.model_version, _attempts.c.views, _replies.c.body)
        .add_columns(_opinions.c.item_id)
        .add_columns(_opinions.c.question, _opinions.c.state, _opinions.c.attempts)
        .add_columns(_pairs.c.answer.label("first_answer"))
        .add_columns(_items.c.image_path, _items.c.listing_id)
        .join(_replies, _replies.c.attempt_id == _attempts.c.id)
        .join(
            _opinions,
            (_opinions.c.campaign_id == _attempts.c.campaign_id)
            & (_opinions.c.item_id == _attempts.c.item_id)
            & (_opinions.c.question == _attempts.c.question),
        )
        .join(_pairs, _SAME_PAIR)
        .join(_items, _items.c.id == _pairs.c.item_id)
        .where(_attempts.c.campaign_id == campaign_id, _attempts.c.id > after)
        .where(_attempts.c.canary_day.is_(None))
        .order_by(_attempts.c.id)
        .limit(limit)
    )
    rows = (await connection.execute(statement)).mappings()
    return [_replied_pair(row) for row in rows]


def _replied_pair(row: RowMapping) -> RepliedPair:
    return RepliedPair(
        item_id=row["item_id"],
        question=row["question"],
        answer=row["first_answer"],
        state=WorkState(row["state"]),
        attempts=row["attempts"],
        reply=kept_reply(row),
        image=row["image_path"],
        listing_id=row["listing_id"],
    )
