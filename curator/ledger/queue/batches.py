"""What batch jobs hold: nobody else is to ask about it, until its result is there."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Table, and_, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from curator.ledger.database import tables
from curator.ledger.database.coding import listing_of
from curator.ledger.records.batches import HeldRequest
from curator.ledger.records.requests import Attempt
from curator.ledger.records.work import PairItem, WorkItem
from curator.models.asked_settings import AskedSettings
from curator.models.tier import Tier
from curator.prompts.request import Measure

_held, _attempts, _items = tables.batch_requests, tables.attempts, tables.items
_work, _opinions, _pairs = tables.work, tables.second_opinions, tables.pairs

IMAGE_IS_FREE: Final[ColumnElement[bool]] = ~exists().where(
    _held.c.campaign_id == _work.c.campaign_id,
    _held.c.item_id == _work.c.item_id,
    _held.c.question.is_(None),
).correlate(_work)
"""Whether no job holds the image of a row of ``work``."""
PAIR_IS_FREE: Final[ColumnElement[bool]] = ~exists().where(
    _held.c.campaign_id == _opinions.c.campaign_id,
    _held.c.item_id == _opinions.c.item_id,
    _held.c.question == _opinions.c.question,
).correlate(_opinions)
"""Whether no job holds the question of a row of ``second_opinions``."""


async def held_requests(connection: AsyncConnection, job_id: int) -> list[HeldRequest]:
    """Return what a job holds, by attempt."""
    maker = _attempts.alias("maker")
    campaign = tables.campaigns.c
    statement = (
        select(_held.c.own_id, *_items.c)
        .add_columns(*(_attempts.c[name].label(f"a_{name}") for name in _OF_ATTEMPT))
        .add_columns(campaign.questions, _work.c.rank, _work.c.attempts.label("failed"))
        .add_columns(_opinions.c.attempts.label("pair_failed"), _pairs.c.answer)
        .add_columns(maker.c.model.label("answered_by"))
        .join(_attempts, _attempts.c.id == _held.c.attempt_id)
        .join(tables.campaigns, campaign.id == _held.c.campaign_id)
        .join(_items, _items.c.id == _held.c.item_id)
        .outerjoin(_work, _same(_work, "campaign_id", "item_id"))
        .outerjoin(_opinions, _same(_opinions, "campaign_id", "item_id", "question"))
        .outerjoin(_pairs, _same(_pairs, "campaign_id", "item_id", "question"))
        .outerjoin(maker, maker.c.id == _pairs.c.attempt_id)
        .where(_held.c.job_id == job_id)
        .order_by(_held.c.attempt_id)
    )
    return [_held_request(row) for row in await connection.execute(statement)]


_OF_ATTEMPT: Final = (
    *("id", "campaign_id", "item_id", "key_fingerprint", "project", "model", "started_at"),
    *("reserved_tokens", "question", "annotator", "characters", "longest_px", "thinking"),
    "image_detail",
)


def _same(table: Table, *names: str) -> ColumnElement[bool]:
    return and_(*(table.c[name] == _held.c[name] for name in names))


def _held_request(row: Any) -> HeldRequest:  # noqa: ANN401 - SQLAlchemy types no columns of a row
    is_opinion = row.a_question is not None
    attempt = Attempt(
        attempt_id=row.a_id,
        campaign_id=row.a_campaign_id,
        item_id=row.a_item_id,
        key_fingerprint=row.a_key_fingerprint,
        project=row.a_project,
        model=row.a_model,
        started_at=row.a_started_at,
        reserved_tokens=row.a_reserved_tokens,
        question=row.a_question,
        annotator=row.a_annotator,
        measure=Measure(row.a_characters, row.a_longest_px, 0 if is_opinion else row.questions),
        settings=AskedSettings(row.a_thinking, row.a_image_detail),
        tier=Tier.BATCH,
    )
    return HeldRequest(row.own_id, attempt, _about(row))


def _about(row: Any) -> WorkItem | PairItem | None:  # noqa: ANN401 - as above
    listing = listing_of(row)
    if row.a_question is None:
        return None if row.rank is None else WorkItem(row.id, listing, row.failed, row.rank)
    if row.pair_failed is None or row.answer is None:
        return None
    return PairItem(
        row.id, listing, row.pair_failed, row.a_question, row.answer, row.answered_by or ""
    )
