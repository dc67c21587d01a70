"""Canaries in the ledger: which images and questions are chosen, and which wait on a day."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Select, and_, exists, func, insert, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from curator.ledger.database import tables
from curator.ledger.database.coding import listing_of
from curator.ledger.queue.functions import DRAW, pair_share
from curator.ledger.records.work import CanaryItem, WorkItem, WorkState

_canaries, _answers = tables.canaries, tables.canary_answers
_items, _pairs, _work = tables.items, tables.pairs, tables.work
_SEED: Final = 0
"""Of the order in which images are chosen: by their paths alone, whatever was asked first."""
_DRAWN: Final = getattr(func, DRAW)(_SEED, _items.c.image_path)


async def first_waiting(
    connection: AsyncConnection, campaign_id: int, count: int
) -> list[WorkItem]:
    """Return those of the ``count`` images that are to be chosen which have no questions yet.

    None where so many were chosen before.
    """
    if await _chosen(connection, campaign_id) >= count:
        return []
    drawn = (
        select(_work.c.state, _work.c.attempts, _work.c.rank, *_items.c)
        .join(_items, _items.c.id == _work.c.item_id)
        .where(_work.c.campaign_id == campaign_id, _work.c.state != int(WorkState.DEAD))
        .order_by(_DRAWN)
        .limit(count)
    )
    rows = await connection.execute(drawn)
    return [
        WorkItem(row.id, listing_of(row), row.attempts, row.rank)
        for row in rows
        if row.state == WorkState.PENDING
    ]


async def choose(connection: AsyncConnection, campaign_id: int, count: int) -> int:
    """Choose images that have pairs until there are ``count``; return how many there are.

    Of each, one question. What is chosen stays so.
    """
    chosen = await _chosen(connection, campaign_id)
    if chosen < count:
        questions: dict[int, list[tuple[float, str]]] = {}
        for row in await connection.execute(_candidates(campaign_id, count - chosen)):
            place = pair_share(row.image_path, row.question)
            questions.setdefault(row.item_id, []).append((place, row.question))
        new = [
            {"place": place, "item_id": item_id, "question": min(those)[1]}
            for place, (item_id, those) in enumerate(questions.items(), start=chosen)
        ]
        if new:
            await connection.execute(insert(_canaries).values(campaign_id=campaign_id), new)
        chosen += len(new)
    return min(chosen, count)


async def _chosen(connection: AsyncConnection, campaign_id: int) -> int:
    mine = select(func.count()).where(_canaries.c.campaign_id == campaign_id)
    return await connection.scalar(mine) or 0


def _candidates(campaign_id: int, count: int) -> Select[int, str, str]:
    """Return the query for the pairs of ``count`` further images, image by image."""
    taken = select(_canaries.c.item_id).where(_canaries.c.campaign_id == campaign_id)
    of_item = (_pairs.c.campaign_id == campaign_id) & (_pairs.c.item_id == _work.c.item_id)
    chosen = (
        select(_items.c.id, _items.c.image_path, _DRAWN.label("place"))
        .join(_work, _work.c.item_id == _items.c.id)
        .where(
            _work.c.campaign_id == campaign_id,
            _work.c.state == int(WorkState.DONE),
            _work.c.item_id.not_in(taken),
            exists().where(of_item).correlate(_work),
        )
        .order_by("place")
        .limit(count)
        .subquery()
    )
    return (
        select(_pairs.c.item_id, _pairs.c.question, chosen.c.image_path)
        .join(chosen, chosen.c.id == _pairs.c.item_id)
        .where(_pairs.c.campaign_id == campaign_id)
        .order_by(chosen.c.place)
    )


async def waiting(
    connection: AsyncConnection, campaign_id: int, model: str, day: str, count: int
) -> list[CanaryItem]:
    """Return what ``model`` is still to be asked on ``day``, of the first ``count`` canaries."""
    earlier = _answers.alias("earlier")
    first = (
        select(earlier.c.answer)
        .where(
            earlier.c.campaign_id == campaign_id,
            earlier.c.model == model,
            earlier.c.item_id == _canaries.c.item_id,
            earlier.c.question == _canaries.c.question,
            earlier.c.state == int(WorkState.DONE),
            earlier.c.day < day,
        )
        .order_by(earlier.c.day)
        .limit(1)
        .correlate(_canaries)
        .scalar_subquery()
    )
    today = and_(
        _answers.c.campaign_id == campaign_id,
        _answers.c.model == model,
        _answers.c.day == day,
        _answers.c.item_id == _canaries.c.item_id,
    )
    state = func.coalesce(_answers.c.state, literal(int(WorkState.PENDING)))
    statement = (
        select(_canaries.c.question, _answers.c.attempts, first.label("first_answer"), *_items.c)
        .join(_items, _items.c.id == _canaries.c.item_id)
        .outerjoin(_answers, today)
        .where(
            _canaries.c.campaign_id == campaign_id,
            _canaries.c.place < count,
            state == int(WorkState.PENDING),
        )
        .order_by(_canaries.c.place)
    )
    return [
        CanaryItem(
            row.id, listing_of(row), row.attempts or 0, row.question, model, day, row.first_answer
        )
        for row in await connection.execute(statement)
    ]
