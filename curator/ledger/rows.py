"""Records to rows: what one group of attempts and results changes, table by table."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import bindparam, delete, insert, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.sql.dml import Delete, Insert, Update

from curator.ledger import tables
from curator.ledger.records import (
    Attempt,
    ItemChange,
    KeyRemoval,
    OpinionChange,
    Outcome,
    ProjectNews,
    RepliedItem,
    Result,
    Withdrawal,
    WorkItem,
    WorkState,
)
from shared.records import ImageRef, Listing

Row = dict[str, Any]
Entry = Attempt | Result | Withdrawal | ProjectNews | KeyRemoval
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


_CHANGE_OPINION = (
    update(tables.second_opinions)
    .where(
        tables.second_opinions.c.campaign_id == bindparam("campaign"),
        tables.second_opinions.c.item_id == bindparam("item"),
        tables.second_opinions.c.question == bindparam("asked"),
    )
    .values(
        state=bindparam("state"),
        attempts=bindparam("attempts"),
        reason=bindparam("reason"),
        answer=bindparam("answer"),
        agrees=bindparam("agrees"),
        finished_at=bindparam("at"),
    )
)


_WITHDRAW_ATTEMPT = delete(tables.attempts).where(tables.attempts.c.id == bindparam("attempt_id"))
_UPSERT_PROJECT = sqlite_insert(tables.projects)
_UPSERT_PROJECT = _UPSERT_PROJECT.on_conflict_do_update(
    ["project", "model"], set_=dict(_UPSERT_PROJECT.excluded)
)
_UPSERT_LIMIT = sqlite_insert(tables.learned_limits)
_UPSERT_LIMIT = _UPSERT_LIMIT.on_conflict_do_update(
    ["project", "model", "name"], set_=dict(_UPSERT_LIMIT.excluded)
)
_REMOVE_KEY = (
    update(tables.keys)
    .where(tables.keys.c.fingerprint == bindparam("key"))
    .values(removed_because=bindparam("reason"), updated_at=bindparam("at"))
)


def group_statements(entries: Sequence[Entry]) -> list[Statement]:
    """Return the statements, with their rows, that write ``entries``; empty ones left out."""
    results = [entry for entry in entries if isinstance(entry, Result)]
    statements: list[Statement] = [
        (_INSERT_ATTEMPT, [_attempt_row(e) for e in entries if isinstance(e, Attempt)]),
        (
            _WITHDRAW_ATTEMPT,
            [{"attempt_id": e.attempt_id} for e in entries if isinstance(e, Withdrawal)],
        ),
        (_FINISH_ATTEMPT, [_finish_row(r) for r in results if r.attempt_id is not None]),
        (_INSERT_REPLY, [_reply_row(r) for r in results if r.reply is not None]),
        (_CHANGE_WORK, [row for r in results for row in _work_rows(r)]),
        (_CHANGE_OPINION, [row for r in results for row in _opinion_rows(r)]),
        (_INSERT_PAIR, [row for r in results for row in _pair_rows(r)]),
        (_INSERT_REJECTED, [row for r in results for row in _rejected_rows(r)]),
        *_news_statements(entries),
    ]
    return [(statement, rows) for statement, rows in statements if rows]


def _news_statements(entries: Sequence[Entry]) -> list[Statement]:
    news = [entry for entry in entries if isinstance(entry, ProjectNews)]
    removals = [entry for entry in entries if isinstance(entry, KeyRemoval)]
    return [
        (_UPSERT_PROJECT, [_project_row(one) for one in news]),
        (_UPSERT_LIMIT, [row for one in news for row in _limit_rows(one)]),
        (_REMOVE_KEY, [{"key": e.fingerprint, "reason": e.reason, "at": e.at} for e in removals]),
    ]


def replacing_statements(results: Sequence[Result]) -> list[Statement]:
    """Return the statements that put the verdicts of ``results`` in the place of the old ones."""
    changes = {
        (r.change.campaign_id, r.change.item_id): r
        for r in results
        if isinstance(r.change, ItemChange)
    }
    keys = [{"campaign": campaign, "item": item} for campaign, item in changes]
    statements: list[Statement] = [
        (_DELETE_PAIRS, keys),
        (_DELETE_REJECTED, keys),
        (_CHANGE_WORK, [row for r in changes.values() for row in _work_rows(r)]),
        (_CHANGE_FACTS, [{"attempt_id": r.attempt_id, **_facts_row(r)} for r in results]),
        (_INSERT_PAIR, [row for r in results for row in _pair_rows(r)]),
        (_INSERT_REJECTED, [row for r in results for row in _rejected_rows(r)]),
    ]
    return [(statement, rows) for statement, rows in statements if rows]


def opinion_statements(results: Sequence[Result]) -> list[Statement]:
    """Return the statements that write second opinions that were judged again."""
    statements: list[Statement] = [
        (_CHANGE_FACTS, [{"attempt_id": r.attempt_id, **_facts_row(r)} for r in results]),
        (_CHANGE_OPINION, [row for r in results for row in _opinion_rows(r)]),
    ]
    return [(statement, rows) for statement, rows in statements if rows]


def _project_row(news: ProjectNews) -> Row:
    record = news.record
    return {
        "project": record.project,
        "model": news.model,
        "blocked_until": record.blocked_until,
        "blocked_window": record.blocked_window.value,
        "probe_at": record.probe_at,
        "updated_at": news.at,
    }


def _limit_rows(news: ProjectNews) -> Iterable[Row]:
    for name, limit in news.record.learned.items():
        yield {
            "project": news.record.project,
            "model": news.model,
            "name": name,
            "value": limit.value,
            "stated": limit.stated,
            "learned_at": limit.at,
        }


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
        "question": attempt.question,
    }


def _finish_row(result: Result) -> Row:
    return {
        "attempt_id": result.attempt_id,
        "at": result.finished_at,
        "outcome": result.outcome.value,
        "detail": result.detail,
        "input": result.tokens.input,
        "output": result.tokens.output,
        "thoughts": result.tokens.thoughts,
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


def _work_rows(result: Result) -> Iterable[Row]:
    change = result.change
    if isinstance(change, ItemChange):
        yield {
            "campaign": change.campaign_id,
            "item": change.item_id,
            "state": int(change.state),
            "attempts": change.attempts,
            "reason": change.reason,
            "at": result.finished_at,
        }


def _opinion_rows(result: Result) -> Iterable[Row]:
    change = result.change
    if isinstance(change, OpinionChange):
        yield {
            "campaign": change.campaign_id,
            "item": change.item_id,
            "asked": change.question,
            "state": int(change.state),
            "attempts": change.attempts,
            "reason": change.reason,
            "answer": change.answer,
            "agrees": int(change.agrees),
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
