"""The queue of a campaign: who is in it, what waits, and what returns to it."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from curator.ledger.database import tables
from curator.ledger.database.coding import listing_of, models_text
from curator.ledger.queue import opinions, order
from curator.ledger.records.work import Campaign, WorkItem, WorkState

_campaigns, _work = tables.campaigns, tables.work


async def enrol(
    connection: AsyncConnection, campaign: Campaign, now: float, shuffle_seed: int | None
) -> int:
    """Queue every item for ``campaign`` that it does not have yet; return its id."""
    which = {"prompt_version": campaign.prompt_version, "questions": campaign.questions}
    asked = {
        "models": models_text(campaign.models),
        "annotator": campaign.annotator,
        "budget_usd": campaign.budget.usd,
        "budget_tokens": campaign.budget.tokens,
        "canaries": campaign.canaries,
    }
    same = [_campaigns.c[name] == value for name, value in which.items()]
    make = sqlite_insert(_campaigns).values(**which, **asked, created_at=now)
    await connection.execute(make.on_conflict_do_update(list(which), set_=asked))
    row = (await connection.execute(select(_campaigns).where(*same))).one()
    seed = row.shuffle_seed if shuffle_seed is None else shuffle_seed
    if seed != row.shuffle_seed:
        mine = update(_campaigns).where(_campaigns.c.id == row.id)
        await connection.execute(mine.values(shuffle_seed=seed))
        await connection.execute(order.reordering(row.id, seed))
    item_id, rank = (await connection.execute(order.last(row.id))).one()
    await connection.execute(order.enrolling(row.id, item_id, rank, seed))
    return int(row.id)


async def waiting(
    connection: AsyncConnection, campaign_id: int, after: int, limit: int
) -> list[WorkItem]:
    """Return up to ``limit`` waiting items with ranks above ``after``, in order."""
    rows = await connection.execute(order.waiting(campaign_id, after, limit))
    return [WorkItem(row.id, listing_of(row), row.attempts, row.rank) for row in rows]


async def retry_dead(connection: AsyncConnection, campaign_id: int) -> int:
    """Return what was given up to the queue, as new, pairs too; return how many items."""
    await opinions.retry_dead(connection, campaign_id)
    statement = (
        update(_work)
        .where(_work.c.campaign_id == campaign_id, _work.c.state == int(WorkState.DEAD))
        .values(state=int(WorkState.PENDING), attempts=0, reason="", finished_at=None)
    )
    return (await connection.execute(statement)).rowcount
