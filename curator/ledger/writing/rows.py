"""Records to rows: what attempts and results change."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from curator.ledger.records.work import (
    Attempt,
    ItemChange,
    KeptReply,
    KeyRemoval,
    LeftOut,
    OpinionChange,
    Outcome,
    ProjectNews,
    RepliedItem,
    Result,
    Withdrawal,
    WorkItem,
    WorkState,
)
from curator.ledger.writing import inbox
from curator.ledger.writing.inbox import Inbox, Row
from shared.records import ImageRef, Listing

Entry = Attempt | Result | Withdrawal | ProjectNews | KeyRemoval


def changes_by(entries: Iterable[Entry]) -> Inbox:
    """Return what ``entries`` change."""
    changes = Inbox()
    for entry in entries:
        match entry:
            case Attempt():
                changes.put(inbox.ADD_ATTEMPT, _attempt_row(entry))
            case Result():
                _put_result(changes, entry)
            case Withdrawal():
                changes.put(inbox.REMOVE_ATTEMPT, {"id": entry.attempt_id})
            case ProjectNews():
                changes.put(inbox.PUT_PROJECT, _project_row(entry))
                for row in _limit_rows(entry):
                    changes.put(inbox.PUT_LIMIT, row)
            case KeyRemoval():
                changes.put(inbox.REMOVE_KEY, _removal_row(entry))
    return changes


def _put_result(changes: Inbox, result: Result) -> None:
    if result.attempt_id is not None:
        changes.put(inbox.FINISH_ATTEMPT, _finish_row(result))
    if result.started_at is not None:
        late = {"id": result.attempt_id, "started_at": result.started_at}
        changes.put(inbox.CHANGE_START, late)
    if result.reply is not None:
        changes.put(inbox.ADD_REPLY, {"attempt_id": result.attempt_id}, pack_reply(result.reply))
    _put_change(changes, result)
    _put_verdict(changes, result)


def _put_change(changes: Inbox, result: Result) -> None:
    match result.change:
        case ItemChange() as change:
            changes.put(inbox.CHANGE_WORK, _work_row(change, result.finished_at))
        case OpinionChange() as change:
            changes.put(inbox.CHANGE_OPINION, _opinion_row(change, result.finished_at))


def _put_verdict(changes: Inbox, result: Result) -> None:
    change, verdict = result.change, result.verdict
    if change is None or verdict is None:
        return
    shared = {
        "campaign_id": change.campaign_id,
        "item_id": change.item_id,
        "attempt_id": result.attempt_id,
    }
    if verdict.accepted:
        pairs = [
            (draft.question, draft.answer, draft.difficulty, agreement)
            for draft, agreement in zip(verdict.accepted, verdict.agreements, strict=True)
        ]
        changes.put(inbox.ADD_PAIRS, {**shared, "rows": pairs})
    if verdict.rejected:
        rejected = [(one.rule, one.draft.question, one.draft.answer) for one in verdict.rejected]
        changes.put(inbox.ADD_REJECTED, {**shared, "rows": rejected})


def replacements_by(results: Sequence[Result]) -> Inbox:
    """Return what puts the verdicts of ``results`` in the place of the old ones."""
    latest = {
        (r.change.campaign_id, r.change.item_id): r
        for r in results
        if isinstance(r.change, ItemChange)
    }
    changes = Inbox()
    for campaign, item in latest:
        which = {"campaign_id": campaign, "item_id": item}
        changes.put(inbox.REMOVE_PAIRS, which)
        changes.put(inbox.REMOVE_REJECTED, which)
    for result in latest.values():
        _put_change(changes, result)
    for result in results:
        changes.put(inbox.CHANGE_FACTS, {"id": result.attempt_id, **_facts_row(result)})
        _put_verdict(changes, result)
    return changes


def opinion_replacements_by(results: Iterable[Result]) -> Inbox:
    """Return what writes second opinions that were judged again."""
    changes = Inbox()
    for result in results:
        changes.put(inbox.CHANGE_FACTS, {"id": result.attempt_id, **_facts_row(result)})
        _put_change(changes, result)
    return changes


def _project_row(news: ProjectNews) -> Row:
    record = news.record
    return {
        "project": record.project,
        "model": news.model,
        "blocked_until": record.blocked_until,
        "blocked_window": record.blocked_window.value,
        "probe_at": record.probe_at,
        "updated_at": news.at,
        "refused_because": record.refused_because,
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


def _removal_row(removal: KeyRemoval) -> Row:
    return {
        "fingerprint": removal.fingerprint,
        "removed_because": removal.reason,
        "updated_at": removal.at,
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
        "annotator": attempt.annotator,
    }


def _finish_row(result: Result) -> Row:
    return {
        "id": result.attempt_id,
        "finished_at": result.finished_at,
        "outcome": result.outcome.value,
        "detail": result.detail,
        "input_tokens": result.tokens.input,
        "output_tokens": result.tokens.output,
        "thought_tokens": result.tokens.thoughts,
        "model_version": result.model_version,
        **_facts_row(result),
    }


def _facts_row(result: Result) -> Row:
    facts = result.facts
    return {
        "ending": facts.ending if facts else "",
        "form": facts.form.value if facts else "",
        "drafts": facts.drafts if facts else 0,
        "rejection": facts.rejection if facts else "",
    }


def _work_row(change: ItemChange, at: float) -> Row:
    return {
        "campaign_id": change.campaign_id,
        "item_id": change.item_id,
        "state": int(change.state),
        "attempts": change.attempts,
        "reason": change.reason,
        "finished_at": at,
    }


def _opinion_row(change: OpinionChange, at: float) -> Row:
    return {
        "campaign_id": change.campaign_id,
        "item_id": change.item_id,
        "question": change.question,
        "state": int(change.state),
        "attempts": change.attempts,
        "reason": change.reason,
        "answer": change.answer,
        "agrees": int(change.agrees),
        "finished_at": at,
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
        "product": listing.product,
    }


def listing_of(row: Any) -> Listing:  # noqa: ANN401 - SQLAlchemy types no columns of a row
    """Return the listing that a row of ``items`` holds."""
    image = ImageRef(row.image_id, row.image_path)
    return Listing(row.listing_id, image, json.loads(row.metadata), row.product)


def kept_reply(row: Any) -> KeptReply:  # noqa: ANN401 - SQLAlchemy types no columns of a row
    """Return the reply that a row of attempts and replies holds."""
    model = row.model_version or row.model
    return KeptReply(row.attempt_id, row.annotator, model, unpack_reply(row.body))


def left_out_text(left_out: Iterable[LeftOut]) -> str | None:
    """Return the stored form of what a catalogue left out; ``None`` for nothing."""
    entries = [(entry.reason, entry.count, entry.first) for entry in left_out]
    return json.dumps(entries, ensure_ascii=False) if entries else None


def left_out_of(text: str | None) -> list[LeftOut]:
    """Return what ``left_out_text`` was given."""
    return [LeftOut(*entry) for entry in json.loads(text or "[]")]


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
                replies=tuple(map(kept_reply, mine)),
                maker_id=mine[0].maker_id or 0,
            )
        )
    return found
