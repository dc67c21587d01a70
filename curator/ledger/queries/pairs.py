"""The pairs of campaigns, page by page, as they are exported."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, literal_column, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from curator.ledger.database import tables
from curator.ledger.records.work import WorkState
from curator.prompts.reply_fields import STYLE
from shared.records import Provenance, QAPair, pair_id

PromptVersions = Mapping[int, Callable[[str, str], str]]
"""For campaigns by id, what gives the version of an image's prompt, by its path and listing."""
_AGREES: Final = {None: "", 0: "disagrees", 1: "agrees"}
_pairs, _items, _work = tables.pairs, tables.items, tables.work
_opinions, _attempts = tables.second_opinions, tables.attempts
SAME_PAIR: Final = and_(
    _pairs.c.campaign_id == _opinions.c.campaign_id,
    _pairs.c.item_id == _opinions.c.item_id,
    _pairs.c.question == _opinions.c.question,
)


async def pairs_after(
    connection: AsyncConnection,
    campaigns: PromptVersions,
    after: int,
    limit: int,
    *,
    models: Collection[str] = (),
) -> tuple[list[QAPair], int]:
    """Return the pairs of up to ``limit`` items with ids above ``after``, and the last id.

    Those of each of ``campaigns``, of which the first one that asked a question about an image
    counts. Of ``models`` alone, where some are given. The list is empty and the id unchanged at the
    end.
    """
    rows = (await connection.execute(_page(list(campaigns), after, limit, models))).all()
    last = rows[-1].item_id if rows else after
    # Questions differ within a campaign.
    first = (
        {(row.item_id, row.question): row for row in reversed(rows)} if len(campaigns) > 1 else {}
    )
    return [
        _pair(row, campaigns[row.campaign_id](row.image_path, row.listing_id))
        for row in rows
        if not first or first[row.item_id, row.question] is row
    ], last


def _page(
    campaign_ids: Sequence[int], after: int, limit: int, models: Collection[str]
) -> Select[Any]:
    each = [_answered(campaign_id, after, limit, models) for campaign_id in campaign_ids]
    answered = select(union(*(select(one.subquery()) for one in each)).subquery())
    answered = answered.order_by(literal_column("1")).limit(limit)
    return (
        select(*_pairs.c, _items.c.image_path, _items.c.listing_id, _items.c.product)
        .add_columns(_opinions.c.answer.label("second_answer"), _opinions.c.agrees)
        .add_columns(_attempts.c.model, _attempts.c.model_version)
        .join(_items, _items.c.id == _pairs.c.item_id)
        .outerjoin(_attempts, _attempts.c.id == _pairs.c.attempt_id)
        .outerjoin(_opinions, SAME_PAIR & (_opinions.c.state == int(WorkState.DONE)))
        .where(_pairs.c.campaign_id.in_(campaign_ids))
        .where(_pairs.c.item_id.in_(each[0] if len(each) == 1 else answered))
        .where(*([_made_by(models)] if models else []))
        .order_by(_pairs.c.item_id, _pairs.c.campaign_id, _pairs.c.position)
    )


def _answered(
    campaign_id: int, after: int, limit: int, models: Collection[str]
) -> Select[tuple[int]]:
    """Return the query for the next items of one campaign that have pairs."""
    answered = (
        select(_work.c.item_id)
        .where(
            _work.c.campaign_id == campaign_id,
            _work.c.state.in_([int(WorkState.DONE), int(WorkState.ALONG)]),
            _work.c.item_id > after,
        )
        .order_by(_work.c.item_id)
        .limit(limit)
    )
    if models:
        theirs = select(_pairs.c.item_id).join(_attempts, _attempts.c.id == _pairs.c.attempt_id)
        theirs = theirs.where(_pairs.c.campaign_id == campaign_id, _made_by(models))
        answered = answered.where(_work.c.item_id.in_(theirs))
    return answered


def _made_by(models: Collection[str]) -> ColumnElement[bool]:
    """Return whether a request was made to one of the models, or answered by one."""
    return _attempts.c.model.in_(models) | _attempts.c.model_version.in_(models)


def _pair(row: Any, prompt_version: str) -> QAPair:  # noqa: ANN401 - SQLAlchemy types no columns
    return QAPair(
        id=pair_id(row.image_path, row.question),
        question=row.question,
        answer=row.answer,
        filename=row.image_path,
        product=row.product,
        difficulty=row.difficulty,
        agreement=row.agreement,
        extra=_extra(row.style, row.fields),
        second_answer=row.second_answer or "",
        second_opinion=_AGREES[row.agrees],
        provenance=Provenance(row.model_version or row.model or "", prompt_version, row.listing_id),
    )


def _extra(style: str, fields: str | None) -> tuple[tuple[str, Any], ...]:
    named = tuple(json.loads(fields).items()) if fields else ()
    return ((STYLE, style), *named) if style else named
