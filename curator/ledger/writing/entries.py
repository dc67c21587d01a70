"""What entries change: attempts and results, and what was told of projects and keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Final

from curator.ledger.database.coding import Row, pack_reply, views_text
from curator.ledger.records.batches import BatchJob, BatchRequest
from curator.ledger.records.requests import (
    Attempt,
    CanaryChange,
    FormNews,
    ItemChange,
    KeyRemoval,
    OpinionChange,
    Outcome,
    ProjectNews,
    Result,
    SettingNews,
    Withdrawal,
)
from curator.ledger.writing import inbox
from curator.ledger.writing.inbox import Inbox
from shared.endpoints.models.tier import Tier

# What an enumeration gives for ``value`` is looked up each time.
_OPEN: Final = Outcome.OPEN.value
Entry = (
    Attempt
    | Result
    | Withdrawal
    | ProjectNews
    | KeyRemoval
    | FormNews
    | SettingNews
    | BatchJob
    | BatchRequest
)


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
                changes.put(inbox.FREE_REQUEST, {"attempt_id": entry.attempt_id})
            case ProjectNews():
                changes.put(inbox.PUT_PROJECT, _project_row(entry))
                for row in _limit_rows(entry):
                    changes.put(inbox.PUT_LIMIT, row)
            case KeyRemoval():
                changes.put(inbox.REMOVE_KEY, _removal_row(entry))
            case FormNews():
                changes.put(inbox.PUT_FORM, _form_row(entry))
            case SettingNews():
                changes.put(inbox.PUT_SETTING, _setting_row(entry))
            case BatchJob():
                changes.put(inbox.PUT_JOB, {**_columns(entry), "id": entry.job_id})
            case BatchRequest():
                changes.put(inbox.HOLD_REQUEST, _columns(entry))
    return changes


def _put_result(changes: Inbox, result: Result) -> None:
    if result.attempt_id is not None:
        is_late = result.started_at is not None
        finish = inbox.FINISH_LATE_ATTEMPT if is_late else inbox.FINISH_ATTEMPT
        changes.put(finish, _finish_row(result))
    if result.tier is Tier.BATCH:
        changes.put(inbox.FREE_REQUEST, {"attempt_id": result.attempt_id})
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
        case CanaryChange() as change:
            changes.put(inbox.PUT_CANARY, _canary_row(change, result))


def _put_verdict(changes: Inbox, result: Result) -> None:
    change, verdict = result.change, result.verdict
    if change is None or verdict is None:
        return
    pairs, rejected = defaultdict(list), defaultdict(list)
    for draft, agreement in zip(verdict.accepted, verdict.agreements, strict=True):
        texts = draft.question, draft.answer, draft.difficulty, agreement, draft.style
        item_id = result.item_of(draft.picture) if result.views else change.item_id
        pairs[item_id].append((*texts, draft.others or None))
    for refused in verdict.rejected:
        draft = refused.draft
        told = refused.rule, draft.question, draft.answer
        rejected[result.item_of(draft.picture)].append(told)
    for kind, by_item in ((inbox.ADD_PAIRS, pairs), (inbox.ADD_REJECTED, rejected)):
        for item_id, rows in by_item.items():
            shared = {"campaign_id": change.campaign_id, "attempt_id": result.attempt_id}
            changes.put(kind, {**shared, "item_id": item_id, "rows": rows})


def replacements_by(results: Sequence[Result]) -> Inbox:
    """Return what puts the verdicts of ``results`` in the place of the old ones."""
    latest = {
        (r.change.campaign_id, r.change.item_id): r
        for r in results
        if isinstance(r.change, ItemChange)
    }
    changes = Inbox()
    for campaign, item in latest:
        which = {"campaign_id": campaign, "item_id": item, "attempt_id": None}
        changes.put(inbox.REMOVE_PAIRS, which)
        changes.put(inbox.REMOVE_REJECTED, which)
    for result in results:
        for view in filter(None, result.views):
            campaign = result.change.campaign_id if result.change else 0
            named = {"campaign_id": campaign, "item_id": view, "attempt_id": result.attempt_id}
            changes.put(inbox.REMOVE_PAIRS, named)
            changes.put(inbox.REMOVE_REJECTED, named)
    for result in latest.values():
        _put_change(changes, result)
    for result in results:
        _put_read_again(changes, result)
        _put_verdict(changes, result)
    return changes


def opinion_replacements_by(results: Iterable[Result]) -> Inbox:
    """Return what writes second opinions that were judged again."""
    changes = Inbox()
    for result in results:
        _put_read_again(changes, result)
        _put_change(changes, result)
    return changes


def _put_read_again(changes: Inbox, result: Result) -> None:
    """Write what a kept reply says, as it is read now: earlier releases read less of it."""
    changes.put(inbox.CHANGE_FACTS, {"id": result.attempt_id, **_facts_row(result)})
    if result.model_version and result.tokens.total:
        changes.put(inbox.CHANGE_TOLD, {"id": result.attempt_id, **_told_row(result)})


def _columns(record: BatchJob | BatchRequest) -> Row:
    """Return a record whose fields are called like the columns."""
    return {field.name: getattr(record, field.name) for field in fields(record)}


def _project_row(news: ProjectNews) -> Row:
    record = news.record
    return {
        "project": record.project,
        "model": record.model,
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
            "model": news.record.model,
            "name": name,
            "value": limit.value,
            "stated": limit.stated,
            "learned_at": limit.at,
        }


def _form_row(news: FormNews) -> Row:
    return {
        "annotator": news.annotator,
        "model": news.model,
        "form": news.form,
        "told_at": news.at,
    }


def _setting_row(news: SettingNews) -> Row:
    return {
        "annotator": news.annotator,
        "model": news.model,
        "setting": news.setting,
        "told_at": news.at,
    }


def _removal_row(removal: KeyRemoval) -> Row:
    return {
        "fingerprint": removal.fingerprint,
        "removed_because": removal.reason,
        "failed_for_good": int(removal.is_for_good),
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
        "outcome": _OPEN,
        "detail": "",
        "input_tokens": 0,
        "output_tokens": 0,
        "thought_tokens": 0,
        "question": attempt.question,
        "annotator": attempt.annotator,
        "characters": attempt.measure.characters,
        "longest_px": attempt.measure.longest_px,
        "thinking": attempt.settings.thinking,
        "image_detail": attempt.settings.image_detail,
        "tier": str(attempt.tier),
        "canary_day": attempt.canary_day,
        "views": views_text(attempt.views),
    }


def _finish_row(result: Result) -> Row:
    return {
        "id": result.attempt_id,
        "started_at": result.started_at,
        "finished_at": result.finished_at,
        "outcome": str(result.outcome),
        "detail": result.detail,
        "tier": str(result.tier),
        **_told_row(result),
        **_facts_row(result),
    }


def _told_row(result: Result) -> Row:
    return {
        "input_tokens": result.tokens.input,
        "output_tokens": result.tokens.output,
        "thought_tokens": result.tokens.thoughts,
        "cached_tokens": result.tokens.cached,
        "image_tokens": result.tokens.images,
        "model_version": result.model_version,
        "model_stage": result.model_status.stage,
        "retires_at": result.model_status.retires_at,
    }


def _facts_row(result: Result) -> Row:
    facts = result.facts
    return {
        "ending": facts.ending if facts else "",
        "form": str(facts.form) if facts else "",
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


def _canary_row(change: CanaryChange, result: Result) -> Row:
    return {
        "campaign_id": change.campaign_id,
        "model": change.model,
        "day": change.day,
        "item_id": change.item_id,
        "question": change.question,
        "state": int(change.state),
        "attempts": change.attempts,
        "reason": change.reason,
        "answer": change.answer,
        "is_equal": None if change.is_equal is None else int(change.is_equal),
        "model_version": result.model_version,
        "finished_at": result.finished_at,
    }
