"""Records to rows: what one group of attempts and results changes, table by table."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Table,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
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
"""A statement and its parameters, for each of which it is run."""

_ROWS = func.json_each(bindparam("rows")).table_valued("value")


@dataclass(frozen=True, slots=True)
class _Change:
    """A statement that takes all its rows at once, as one parameter: an array of arrays in JSON.

    sqlite3 lets go of the interpreter at each step of a statement and then has to wait for it; a
    step for each row would make a group wait a hundred times.
    """

    statement: Insert | Update
    columns: tuple[str, ...]

    @classmethod
    def insert(cls, table: Table, *columns: str) -> _Change:
        """Add rows of ``columns`` to ``table``."""
        cells = _cells(columns)
        return cls(insert(table).from_select(columns, select(*cells.values())), columns)

    @classmethod
    def update(cls, table: Table, *columns: str, where: tuple[str, ...]) -> _Change:
        """Set ``columns`` of the rows of ``table`` whose columns ``where`` are the same."""
        cells = _cells((*columns, *where))
        same = (table.c[name] == cells.pop(name) for name in where)
        return cls(update(table).where(*same).values(cells), (*columns, *where))

    def of(self, rows: Sequence[Row]) -> Statement:
        """Return what writes ``rows``; without parameters where there are none."""
        if not rows:
            return self.statement, []
        values = [tuple(map(row.__getitem__, self.columns)) for row in rows]
        return self.statement, [{"rows": _as_json(values)}]


def _as_json(rows: Sequence[tuple[Any, ...]]) -> str:
    try:
        return orjson.dumps(rows).decode()
    except TypeError:
        # Half of a character, which a server's JSON may hold, and no database.
        return json.dumps(rows, ensure_ascii=False).encode(errors="replace").decode()


def _cells(columns: Sequence[str]) -> dict[str, ColumnElement[Any]]:
    return {
        name: func.json_extract(_ROWS.c.value, literal_column(f"'$[{place}]'"))
        for place, name in enumerate(columns)
    }


_FACTS = ("ending", "form", "drafts", "rejection")
_INSERT_ATTEMPT = _Change.insert(
    tables.attempts,
    *("id", "campaign_id", "item_id", "key_fingerprint", "project", "model", "started_at"),
    *("reserved_tokens", "outcome", "detail", "input_tokens", "output_tokens", "thought_tokens"),
    "question",
)
_FINISH_ATTEMPT = _Change.update(
    tables.attempts,
    *("finished_at", "outcome", "detail", "input_tokens", "output_tokens", "thought_tokens"),
    *_FACTS,
    where=("id",),
)
_CHANGE_FACTS = _Change.update(tables.attempts, *_FACTS, where=("id",))
_CHANGE_WORK = _Change.update(
    tables.work,
    *("state", "attempts", "reason", "finished_at"),
    where=("campaign_id", "item_id"),
)
_CHANGE_OPINION = _Change.update(
    tables.second_opinions,
    *("state", "attempts", "reason", "answer", "agrees", "finished_at"),
    where=("campaign_id", "item_id", "question"),
)
_INSERT_PAIR = _Change.insert(
    tables.pairs,
    *("campaign_id", "item_id", "position", "question", "answer", "difficulty", "agreement"),
)
_INSERT_REJECTED = _Change.insert(
    tables.rejected_pairs,
    *("campaign_id", "item_id", "attempt_id", "rule", "question", "answer"),
)
_PLACE = _cells(("attempt_id", "start", "length"))
_INSERT_REPLY = insert(tables.replies).from_select(
    ("attempt_id", "body"),
    select(
        _PLACE["attempt_id"],
        func.substr(bindparam("bodies", type_=LargeBinary), _PLACE["start"], _PLACE["length"]),
    ),
)
_DELETE_PAIRS, _DELETE_REJECTED = (
    delete(table).where(
        table.c.campaign_id == bindparam("campaign"), table.c.item_id == bindparam("item")
    )
    for table in (tables.pairs, tables.rejected_pairs)
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
    """Return the statements that write ``entries``; empty ones left out."""
    results = [entry for entry in entries if isinstance(entry, Result)]
    return _needed(
        _INSERT_ATTEMPT.of([_attempt_row(e) for e in entries if isinstance(e, Attempt)]),
        (
            _WITHDRAW_ATTEMPT,
            [{"attempt_id": e.attempt_id} for e in entries if isinstance(e, Withdrawal)],
        ),
        _FINISH_ATTEMPT.of([_finish_row(r) for r in results if r.attempt_id is not None]),
        (_INSERT_REPLY, _reply_rows(results)),
        _CHANGE_WORK.of([row for r in results for row in _work_rows(r)]),
        _CHANGE_OPINION.of([row for r in results for row in _opinion_rows(r)]),
        _INSERT_PAIR.of([row for r in results for row in _pair_rows(r)]),
        _INSERT_REJECTED.of([row for r in results for row in _rejected_rows(r)]),
        *_news_statements(entries),
    )


def _needed(*statements: Statement) -> list[Statement]:
    return [(statement, parameters) for statement, parameters in statements if parameters]


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
    return _needed(
        (_DELETE_PAIRS, keys),
        (_DELETE_REJECTED, keys),
        _CHANGE_WORK.of([row for r in changes.values() for row in _work_rows(r)]),
        _CHANGE_FACTS.of([{"id": r.attempt_id, **_facts_row(r)} for r in results]),
        _INSERT_PAIR.of([row for r in results for row in _pair_rows(r)]),
        _INSERT_REJECTED.of([row for r in results for row in _rejected_rows(r)]),
    )


def opinion_statements(results: Sequence[Result]) -> list[Statement]:
    """Return the statements that write second opinions that were judged again."""
    return _needed(
        _CHANGE_FACTS.of([{"id": r.attempt_id, **_facts_row(r)} for r in results]),
        _CHANGE_OPINION.of([row for r in results for row in _opinion_rows(r)]),
    )


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
        "id": result.attempt_id,
        "finished_at": result.finished_at,
        "outcome": result.outcome.value,
        "detail": result.detail,
        "input_tokens": result.tokens.input,
        "output_tokens": result.tokens.output,
        "thought_tokens": result.tokens.thoughts,
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


def _reply_rows(results: Iterable[Result]) -> list[Row]:
    """Return one row for all replies: JSON holds no bytes, hence where each stands among them."""
    bodies: list[bytes] = []
    places: list[tuple[int | None, int, int]] = []
    start = 1
    for result in results:
        if result.reply is not None:
            body = pack_reply(result.reply)
            places.append((result.attempt_id, start, len(body)))
            bodies.append(body)
            start += len(body)
    if not places:
        return []
    return [{"rows": _as_json(places), "bodies": b"".join(bodies)}]


def _work_rows(result: Result) -> Iterable[Row]:
    change = result.change
    if isinstance(change, ItemChange):
        yield {
            "campaign_id": change.campaign_id,
            "item_id": change.item_id,
            "state": int(change.state),
            "attempts": change.attempts,
            "reason": change.reason,
            "finished_at": result.finished_at,
        }


def _opinion_rows(result: Result) -> Iterable[Row]:
    change = result.change
    if isinstance(change, OpinionChange):
        yield {
            "campaign_id": change.campaign_id,
            "item_id": change.item_id,
            "question": change.question,
            "state": int(change.state),
            "attempts": change.attempts,
            "reason": change.reason,
            "answer": change.answer,
            "agrees": int(change.agrees),
            "finished_at": result.finished_at,
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
