"""Second opinions in the ledger: which pairs are chosen, which wait, and how many agree."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import and_, delete, exists, func, select, text, tuple_, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from curator.ledger.database import tables
from curator.ledger.database.coding import kept_reply, listing_of
from curator.ledger.queue.batches import PAIR_IS_FREE
from curator.ledger.queue.functions import PAIR_SHARE
from curator.ledger.records.work import PairItem, RepliedPair, WorkState

_opinions, _pairs, _items = tables.second_opinions, tables.pairs, tables.items
SAME_PAIR: Final = and_(
    _pairs.c.campaign_id == _opinions.c.campaign_id,
    _pairs.c.item_id == _opinions.c.item_id,
    _pairs.c.question == _opinions.c.question,
)


async def choose(connection: AsyncConnection, campaign_id: int, share: float) -> None:
    """Queue the pairs of a campaign below ``share``; others leave, unless they were asked about."""
    unasked = (_opinions.c.state == int(WorkState.PENDING)) & (_opinions.c.attempts == 0)
    await connection.execute(
        delete(_opinions).where(_opinions.c.campaign_id == campaign_id, unasked)
    )
    chosen = (
        select(
            _pairs.c.campaign_id,
            _pairs.c.item_id,
            _pairs.c.question,
            *(text(value) for value in ("0", "0", "''", "''", "0")),
        )
        .join(_items, _items.c.id == _pairs.c.item_id)
        .where(
            _pairs.c.campaign_id == campaign_id,
            getattr(func, PAIR_SHARE)(_items.c.image_path, _pairs.c.question) < share,
        )
    )
    columns = ["campaign_id", "item_id", "question", "state", "attempts", "reason", "answer"]
    insert = sqlite_insert(_opinions).from_select([*columns, "agrees"], chosen)
    await connection.execute(insert.on_conflict_do_nothing())


async def waiting(
    connection: AsyncConnection, campaign_id: int, after: tuple[int, str], limit: int
) -> list[PairItem]:
    """Return up to ``limit`` pairs that wait, behind item and question ``after``, in order."""
    place = tuple_(_opinions.c.item_id, _opinions.c.question)
    # First the page, by its index, and then what belongs to it: as one join, SQLite goes through
    # all pairs of the campaign.
    page = (
        select(_opinions)
        .where(
            _opinions.c.campaign_id == campaign_id,
            _opinions.c.state == int(WorkState.PENDING),
            place > tuple_(*after),
            exists().where(SAME_PAIR).correlate(_opinions),
            PAIR_IS_FREE,
        )
        .order_by(_opinions.c.item_id, _opinions.c.question)
        .limit(limit)
        .subquery()
    )
    same = (
        (_pairs.c.campaign_id == page.c.campaign_id)
        & (_pairs.c.item_id == page.c.item_id)
        & (_pairs.c.question == page.c.question)
    )
    statement = (
        select(page.c.attempts, page.c.question, _pairs.c.answer, *_items.c)
        .add_columns(tables.attempts.c.model)
        .join(_pairs, same)
        .outerjoin(tables.attempts, tables.attempts.c.id == _pairs.c.attempt_id)
        .join(_items, _items.c.id == page.c.item_id)
        .order_by(page.c.item_id, page.c.question)
    )
    rows = await connection.execute(statement)
    return [
        PairItem(row.id, listing_of(row), row.attempts, row.question, row.answer, row.model or "")
        for row in rows
    ]


async def retry_dead(connection: AsyncConnection, campaign_id: int) -> None:
    """Return the pairs that were given up to the queue, as new."""
    await connection.execute(
        update(_opinions)
        .where(_opinions.c.campaign_id == campaign_id, _opinions.c.state == int(WorkState.DEAD))
        .values(state=int(WorkState.PENDING), attempts=0, reason="", finished_at=None)
    )


async def replied(
    connection: AsyncConnection, campaign_id: int, after: int, limit: int
) -> list[RepliedPair]:
    """Return pairs with the replies to their questions, of attempts with ids above ``after``."""
    attempts, replies = tables.attempts, tables.replies
    statement = (
        select(attempts.c.id.label("attempt_id"), attempts.c.annotator, attempts.c.model)
        .add_columns(attempts.c.model_version, replies.c.body, _opinions.c.item_id)
        .add_columns(_opinions.c.question, _opinions.c.state, _opinions.c.attempts)
        .add_columns(_pairs.c.answer.label("first_answer"))
        .join(replies, replies.c.attempt_id == attempts.c.id)
        .join(
            _opinions,
            (_opinions.c.campaign_id == attempts.c.campaign_id)
            & (_opinions.c.item_id == attempts.c.item_id)
            & (_opinions.c.question == attempts.c.question),
        )
        .join(_pairs, SAME_PAIR)
        .where(attempts.c.campaign_id == campaign_id, attempts.c.id > after)
        .where(attempts.c.canary_day.is_(None))
        .order_by(attempts.c.id)
        .limit(limit)
    )
    return [_replied_pair(row) for row in await connection.execute(statement)]


def _replied_pair(row: Any) -> RepliedPair:  # noqa: ANN401 - SQLAlchemy types no columns of a row
    return RepliedPair(
        item_id=row.item_id,
        question=row.question,
        answer=row.first_answer,
        state=WorkState(row.state),
        attempts=row.attempts,
        reply=kept_reply(row),
    )
