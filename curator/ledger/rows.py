"""Records to rows: what one group of attempts and results changes, table by table."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from sqlalchemy import bindparam, delete, insert, update
from sqlalchemy.sql.dml import Delete, Insert, Update

from curator.ledger import tables
from curator.ledger.records import (
    Attempt,
    ItemChange,
    Outcome,
    RepliedItem,
    Result,
    WorkItem,
    WorkState,
)
from shared.records import ImageRef, Listing

Row = dict[str, Any]
Statement = tuple[Insert | Update | Delete, list[Row]]

_INSERT_ATTEMPT = insert(tables.attempts)
_INSERT_REPLY = insert(tables.replies)
_INSERT_PAIR = insert(tables.pairs)
_INSERT_REJECTED = insert(tables.rejected_pairs)
_DELETE_PAIRS, _DELETE_REJECTED = (
    delete(table).where(
        table.c.campaign_id == bindparam("campaign"), table.c.item_id == bindparam("item")
    )
    for table in (tables.pairs, tables.rejected_pairs)
)
_FINISH_ATTEMPT = (
    update(tables.attempts)
    .where(tables.attempts.c.id == bindparam("attempt_id"))
    .values(
        finished_at=bindparam("at"),
        outcome=bindparam("outcome"),
        detail=bindparam("detail"),
        input_tokens=bindparam("input"),
        output_tokens=bindparam("output"),
        thought_tokens=bindparam("thoughts"),
        ending=bindparam("reply_ending"),
        form=bindparam("reply_form"),
        drafts=bindparam("reply_drafts"),
        rejection=bindparam("reply_rejection"),
    )
)
_CHANGE_FACTS = (
    update(tables.attempts)
    .where(tables.attempts.c.id == bindparam("attempt_id"))
    .values(
        ending=bindparam("reply_ending"),
        form=bindparam("reply_form"),
        drafts=bindparam("reply_drafts"),
        rejection=bindparam("reply_rejection"),
    )
)
_CHANGE_WORK = (
    update(tables.work)
    .where(
        tables.work.c.campaign_id == bindparam("campaign"),
        tables.work.c.item_id == bindparam("item"),
    )
    .values(
        state=bindparam("state"),
        attempts=bindparam("attempts"),
        reason=bindparam("reason"),
        finished_at=bindparam("at"),
    )
)


def group_statements(entries: Sequence[Attempt | Result]) -> list[Statement]:
    """Return the statements, with their rows, that write ``entries``; empty ones left out."""
    results = [entry for entry in entries if isinstance(entry, Result)]
    statements: list[Statement] = [
        (_INSERT_ATTEMPT, [_attempt_row(e) for e in entries if isinstance(e, Attempt)]),
        (_FINISH_ATTEMPT, [_finish_row(r) for r in results if r.attempt_id is not None]),
        (_INSERT_REPLY, [_reply_row(r) for r in results if r.reply is not None]),
        (_CHANGE_WORK, [_work_row(r, r.change) for r in results if r.change is not None]),
        (_INSERT_PAIR, [row for r in results for row in _pair_rows(r)]),
        (_INSERT_REJECTED, [row for r in results for row in _rejected_rows(r)]),
    ]
    return [(statement, rows) for statement, rows in statements if rows]


def replacing_statements(results: Sequence[Result]) -> list[Statement]:
    """Return the statements that put the verdicts of ``results`` in the place of the old ones."""
    changes = {(r.change.campaign_id, r.change.item_id): r for r in results if r.change}
    keys = [{"campaign": campaign, "item": item} for campaign, item in changes]
    statements: list[Statement] = [
        (_DELETE_PAIRS, keys),
        (_DELETE_REJECTED, keys),
        (_CHANGE_WORK, [_work_row(r, r.change) for r in changes.values() if r.change]),
        (_CHANGE_FACTS, [{"attempt_id": r.attempt_id, **_facts_row(r)} for r in results]),
        (_INSERT_PAIR, [row for r in results for row in _pair_rows(r)]),
        (_INSERT_REJECTED, [row for r in results for row in _rejected_rows(r)]),
    ]
    return [(statement, rows) for statement, rows in statements if rows]


def _attempt_row(attempt: Attempt) -> Row:
    return {
        "id": attempt.attempt_id,
        "campaign_id": attempt.campaign_id,
        "item_id": attempt.item_id,
        "key_fingerprint": attempt.key_fingerprint,
        "project": attempt.project,
        "model": attempt.model,
        "started_at": attempt.started_at,
        "reserved_tokens": attempt.reserved_tokens,
        "outcome": Outcome.OPEN.value,
        "detail": "",
        "input_tokens": 0,
        "output_tokens": 0,
        "thought_tokens": 0,
    }


def _finish_row(result: Result) -> Row:
    return {
        "attempt_id": result.attempt_id,
        "at": result.finished_at,
        "outcome": result.outcome.value,
        "detail": result.detail,
        **asdict(result.tokens),
        **_facts_row(result),
    }


def _facts_row(result: Result) -> Row:
    facts = result.facts
    return {
        "reply_ending": facts.ending if facts else "",
        "reply_form": facts.form.value if facts else "",
        "reply_drafts": facts.drafts if facts else 0,
        "reply_rejection": facts.rejection if facts else "",
    }


def _reply_row(result: Result) -> Row:
    return {"attempt_id": result.attempt_id, "body": pack_reply(result.reply or "")}


def _work_row(result: Result, change: ItemChange) -> Row:
    return {
        "campaign": change.campaign_id,
        "item": change.item_id,
        "state": int(change.state),
        "attempts": change.attempts,
        "reason": change.reason,
        "at": result.finished_at,
    }


def _pair_rows(result: Result) -> Iterable[Row]:
    change, verdict = result.change, result.verdict
    if change is None or verdict is None:
        return
    judged = zip(verdict.accepted, verdict.agreements, strict=True)
    for position, (draft, agreement) in enumerate(judged):
        yield {
            "campaign_id": change.campaign_id,
            "item_id": change.item_id,
            "position": position,
            "question": draft.question,
            "answer": draft.answer,
            "difficulty": draft.difficulty,
            "agreement": agreement.value,
        }


def _rejected_rows(result: Result) -> Iterable[Row]:
    change, verdict = result.change, result.verdict
    if change is None or verdict is None:
        return
    for one in verdict.rejected:
        yield {
            "campaign_id": change.campaign_id,
            "item_id": change.item_id,
            "attempt_id": result.attempt_id,
            "rule": one.rule.value,
            "question": one.draft.question,
            "answer": one.draft.answer,
        }


def pack_reply(body: str) -> bytes:
    """Return the stored form of a reply's body."""
    return zlib.compress(body.encode(), level=1)


def unpack_reply(packed: bytes) -> str:
    """Return the body that ``pack_reply`` was given."""
    return zlib.decompress(packed).decode()


def listing_row(listing: Listing) -> Row:
    """Return the row of a listing in ``items``."""
    return {
        "listing_id": listing.listing_id,
        "image_id": listing.image.image_id,
        "image_path": listing.image.path,
        "metadata": json.dumps(dict(listing.metadata), ensure_ascii=False),
    }


def listing_of(row: Any) -> Listing:  # noqa: ANN401 - SQLAlchemy types no columns of a row
    """Return the listing that a row of ``items`` holds."""
    image = ImageRef(row.image_id, row.image_path)
    return Listing(row.listing_id, image, json.loads(row.metadata))


def replied_items(rows: Iterable[Any]) -> list[RepliedItem]:
    """Return the items that rows of replies, ordered by item, hold."""
    found = []
    for _, group in groupby(rows, key=lambda row: row.id):
        mine = list(group)
        found.append(
            RepliedItem(
                item=WorkItem(mine[0].id, listing_of(mine[0]), mine[0].attempts),
                state=WorkState(mine[0].state),
                reason=mine[0].reason,
                replies=tuple((row.attempt_id, unpack_reply(row.body)) for row in mine),
            )
        )
    return found
