"""The order of a campaign's queue: the catalogue's, or shuffled by a seed; as statements.

A shuffled queue makes every part that was worked on a fair sample of the catalogue. The order
depends on the seed and the images' paths alone, and each item keeps its place in the file, so that
it is the same after a stop. What is added later queues behind all that waits.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Insert, Select, Update, func, insert, literal, select, update

from curator.ledger.database import tables
from curator.ledger.queue.batches import IMAGE_IS_FREE
from curator.ledger.queue.functions import DRAW
from curator.ledger.records.work import WorkState


def _key(seed: int | None) -> ColumnElement[int]:
    items = tables.items
    if seed is None:
        return items.c.id.expression
    key: ColumnElement[int] = getattr(func, DRAW)(seed, items.c.image_path)
    return key


def last(campaign_id: int) -> Select[int, int]:
    """Return the query for the highest item and the highest rank in a queue, 0 where it is empty.

    Each by an index, for which the ranks have to be asked for state by state.
    """
    work = tables.work
    mine = work.c.campaign_id == campaign_id
    item = select(func.coalesce(func.max(work.c.item_id), 0)).where(mine)
    highest = select(func.coalesce(func.max(work.c.rank), 0))
    ranks = [highest.where(mine, work.c.state == int(state)) for state in WorkState]
    return select(item.scalar_subquery(), func.max(*(rank.scalar_subquery() for rank in ranks)))


def enrolling(campaign_id: int, last_item: int, last_rank: int, seed: int | None) -> Insert:
    """Return the statement that queues all items above ``last_item``, behind ``last_rank``."""
    items = tables.items
    place = func.row_number().over(order_by=_key(seed)) + last_rank
    new = select(
        literal(campaign_id),
        items.c.id,
        literal(int(WorkState.PENDING)),
        literal(0),
        literal(""),
        place,
    ).where(items.c.id > last_item)
    columns = ["campaign_id", "item_id", "state", "attempts", "reason", "rank"]
    return insert(tables.work).from_select(columns, new)


def reordering(campaign_id: int, seed: int) -> Update:
    """Return the statement that shuffles the whole queue of a campaign again."""
    work, items = tables.work, tables.items
    place = func.row_number().over(order_by=_key(seed)).label("place")
    places = (
        select(work.c.item_id, place)
        .join(items, items.c.id == work.c.item_id)
        .where(work.c.campaign_id == campaign_id)
        .subquery("places")
    )
    return (
        update(work)
        .where(work.c.campaign_id == campaign_id, work.c.item_id == places.c.item_id)
        .values(rank=places.c.place)
    )


def waiting(campaign_id: int, after: int, limit: int) -> Select[tuple[int, ...]]:
    """Return the query for up to ``limit`` waiting items with ranks above ``after``, in order."""
    work, items = tables.work, tables.items
    return (
        select(work.c.attempts, work.c.rank, *items.c)
        .join(items, items.c.id == work.c.item_id)
        .where(
            work.c.campaign_id == campaign_id,
            work.c.state == int(WorkState.PENDING),
            work.c.rank > after,
            IMAGE_IS_FREE,
        )
        .order_by(work.c.rank)
        .limit(limit)
    )
