"""Takes all that is to be changed, in however many tables and rows, in one step.

At each step of a statement sqlite3 lets go of the interpreter, and in a busy program it waits long
to have it back. So changes go as JSON into a view that holds nothing, and triggers take them on to
their tables. Both belong to the connection alone; without a transaction around it, such a statement
is one itself. (https://sqlite.org/lang_createtrigger.html, INSTEAD OF)

The plainer way was measured against it, on the same kind of connection and in turns: a transaction
of one ``INSERT ... SELECT ... FROM json_each`` a table. By itself that writes as fast (4 % faster),
but ``curator run`` then asks about 12 % fewer images a second at the same CPU time (median of 38
turns of 3,000 images on two cores), because each of its statements waits for the interpreter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import orjson

from curator.ledger.database.coding import MAKER, Row
from shared.value_class import value_class

_NUL: Final = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_VIEW: Final = "CREATE TEMP VIEW {} AS SELECT NULL AS change, NULL AS row, NULL AS body"
# Rows and bodies stand beside the JSON that says where each begins: it holds no bytes, and of a row
# within it SQLite would make a text again and again, a ninth of all that writing takes.
PUT: Final = (
    "INSERT INTO inbox"
    " SELECT json_extract(value, '$[0]'),"
    " CAST(substr(:content, json_extract(value, '$[1]'), json_extract(value, '$[2]')) AS TEXT),"
    " substr(:content, json_extract(value, '$[3]'), json_extract(value, '$[4]'))"
    " FROM json_each(:changes)"
)
"""Makes all changes of ``Inbox.parameters``."""


@value_class
class Change:
    """One kind of change; ``columns`` names what it takes, in order."""

    name: str
    columns: tuple[str, ...]
    statement: str

    def trigger_on(self, view: str) -> str:
        """Return the trigger that does it where it comes into ``view``."""
        return (
            f"CREATE TEMP TRIGGER {self.name} INSTEAD OF INSERT ON {view}"
            f" WHEN NEW.change = '{self.name}' BEGIN {self.statement}; END"
        )


# Statements are put together of the names in this module alone, hence no S608.
def _cells(columns: tuple[str, ...]) -> dict[str, str]:
    """Return where the row of a change has the value of each column."""
    return {name: f"json_extract(NEW.row, '$[{place}]')" for place, name in enumerate(columns)}


def _insert(table: str, cells: Mapping[str, str]) -> str:
    return f"INSERT INTO {table} ({', '.join(cells)}) VALUES ({', '.join(cells.values())})"  # noqa: S608


def _same(cells: Mapping[str, str]) -> str:
    return " AND ".join(f"{name} = {value}" for name, value in cells.items())


def _adding(name: str, table: str, *columns: str) -> Change:
    return Change(name, columns, _insert(table, _cells(columns)))


def _adding_each(
    name: str, table: str, *columns: str, each: tuple[str, ...], place: str | None = None
) -> Change:
    """Add a row for each of ``rows``, a list of lists of the columns ``each``.

    They have ``columns`` in common, and their place in the list goes into the column ``place``.
    """
    taken = (*columns, "rows")
    cells = _cells(taken)
    del cells["rows"]
    if place is not None:
        cells[place] = "each.key"
    for number, column in enumerate(each):
        cells[column] = f"json_extract(each.value, '$[{number}]')"
    rows = f"json_each(NEW.row, '$[{len(columns)}]')"
    select = f"SELECT {', '.join(cells.values())} FROM {rows} AS each"  # noqa: S608
    return Change(name, taken, f"INSERT INTO {table} ({', '.join(cells)}) {select}")


def _adding_pairs(name: str) -> Change:
    """Add the pairs of a reply, and count them and their second opinions at once.

    Nothing else counts what is added: a trigger on their table would do it pair by pair.
    """
    columns = "campaign_id", "item_id", "attempt_id"
    cells = ("question", "answer", "difficulty", "agreement", "style", "fields")
    adding = _adding_each(name, "pairs", *columns, each=cells, place="position")
    taken = {column: cell for column, cell in _cells(adding.columns).items() if column in columns}
    count = f"json_array_length(NEW.row, '$[{len(columns)}]')"
    counted = ", ".join((taken["campaign_id"], "''", MAKER.format(taken["attempt_id"]), count))
    more = "ON CONFLICT DO UPDATE SET pairs = pairs + excluded.pairs"
    pairs = f"INSERT INTO pair_tallies VALUES ({counted}) {more}"  # noqa: S608
    # From the opinions, of which there are few, to the pairs: the cross join keeps that order.
    opinions = (
        "INSERT INTO opinion_tallies SELECT campaign_id, state, agrees, count(*)"  # noqa: S608
        " FROM second_opinions CROSS JOIN pairs USING (campaign_id, item_id, question)"
        f" WHERE {_same(taken)} GROUP BY 1, 2, 3 {more}"
    )
    return Change(name, adding.columns, f"{adding.statement}; {pairs}; {opinions}")


def _putting(name: str, table: str, *columns: str, key: tuple[str, ...]) -> Change:
    """Add a row, or change the one that has its primary ``key``."""
    taken = (*key, *columns)
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns)
    adding = _insert(table, _cells(taken))
    return Change(name, taken, f"{adding} ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}")


def _changing(name: str, table: str, *columns: str, where: tuple[str, ...]) -> Change:
    cells = _cells((*columns, *where))
    same = _same({key: cells.pop(key) for key in where})
    changed = ", ".join(f"{name} = {cell}" for name, cell in cells.items())
    return Change(name, (*columns, *where), f"UPDATE {table} SET {changed} WHERE {same}")  # noqa: S608


def _removing(name: str, table: str, *where: str) -> Change:
    return Change(name, where, f"DELETE FROM {table} WHERE {_same(_cells(where))}")  # noqa: S608


def _removing_of_item(name: str, table: str) -> Change:
    """Remove an item's rows: those of one attempt, or of all where it is null."""
    columns = ("campaign_id", "item_id", "attempt_id")
    cells = _cells(columns)
    attempt = f"coalesce({cells.pop('attempt_id')}, attempt_id)"
    same = _same({**cells, "attempt_id": attempt})
    return Change(name, columns, f"DELETE FROM {table} WHERE {same}")  # noqa: S608


def _together(name: str, *changes: Change) -> Change:
    """Make several changes, whose rows stand in a list, in order; one of them may have a body."""
    statements = (
        change.statement.replace("NEW.row, '$[", f"NEW.row, '$[{place}][")
        for place, change in enumerate(changes)
    )
    return Change(name, tuple(change.name for change in changes), "; ".join(statements))


_FACTS = ("ending", "form", "drafts", "rejection")
ADD_ATTEMPT: Final = _adding(
    "add_attempt",
    "attempts",
    *("id", "campaign_id", "item_id", "key_fingerprint", "project", "model", "started_at"),
    *("reserved_tokens", "outcome", "detail", "input_tokens", "output_tokens", "thought_tokens"),
    *("question", "annotator", "characters", "longest_px", "thinking", "image_detail"),
    *("tier", "canary_day", "views"),
)
REMOVE_ATTEMPT: Final = _removing("remove_attempt", "attempts", "id")
_FINISHED = (
    *("finished_at", "outcome", "detail", "input_tokens", "output_tokens", "thought_tokens"),
    *("cached_tokens", "image_tokens", "model_version", "model_stage", "retires_at", "tier"),
    *_FACTS,
)
FINISH_ATTEMPT: Final = _changing("finish_attempt", "attempts", *_FINISHED, where=("id",))
FINISH_LATE_ATTEMPT: Final = _changing(
    "finish_late_attempt", "attempts", "started_at", *_FINISHED, where=("id",)
)
"""Of a request that left well after it was begun: one change is cheaper than two."""
# In one statement, for the tallies of tokens go by who answered.
CHANGE_TOLD: Final = _changing(
    "change_told",
    "attempts",
    *("model_version", "model_stage", "retires_at", "input_tokens", "output_tokens"),
    *("thought_tokens", "cached_tokens", "image_tokens"),
    where=("id",),
)
CHANGE_FACTS: Final = _changing("change_facts", "attempts", *_FACTS, where=("id",))
ADD_REPLY: Final = Change(
    "add_reply",
    ("attempt_id",),
    _insert("replies", {**_cells(("attempt_id",)), "body": "NEW.body"}),
)
CHANGE_WORK: Final = _changing(
    "change_work",
    "work",
    *("state", "attempts", "reason", "finished_at"),
    where=("campaign_id", "item_id"),
)
CHANGE_OPINION: Final = _changing(
    "change_opinion",
    "second_opinions",
    *("state", "attempts", "reason", "answer", "agrees", "finished_at"),
    where=("campaign_id", "item_id", "question"),
)
PUT_CANARY: Final = _putting(
    "put_canary",
    "canary_answers",
    *("question", "state", "attempts", "reason", "answer", "is_equal", "model_version"),
    "finished_at",
    key=("campaign_id", "model", "day", "item_id"),
)
ADD_PAIRS: Final = _adding_pairs("add_pairs")
ADD_REJECTED: Final = _adding_each(
    "add_rejected",
    "rejected_pairs",
    *("campaign_id", "item_id", "attempt_id"),
    each=("rule", "question", "answer"),
)
REMOVE_PAIRS: Final = _removing_of_item("remove_pairs", "pairs")
REMOVE_REJECTED: Final = _removing_of_item("remove_rejected", "rejected_pairs")
PUT_PROJECT: Final = _putting(
    "put_project",
    "projects",
    *("blocked_until", "blocked_window", "probe_at", "updated_at", "refused_because"),
    key=("project", "model"),
)
PUT_LIMIT: Final = _putting(
    "put_limit",
    "learned_limits",
    *("value", "stated", "learned_at"),
    key=("project", "model", "name"),
)
REMOVE_KEY: Final = _changing(
    "remove_key",
    "keys",
    *("removed_because", "updated_at", "failed_for_good"),
    where=("fingerprint",),
)
PUT_FORM: Final = _putting("put_form", "model_forms", "form", "told_at", key=("annotator", "model"))
PUT_SETTING: Final = _putting(
    "put_setting", "model_settings", "told_at", key=("annotator", "model", "setting")
)
PUT_JOB: Final = _putting(
    "put_job",
    "batch_jobs",
    *("campaign_id", "display_name", "key_fingerprint", "project", "model", "state"),
    *("file_name", "job_name", "results_file", "error", "requests", "answered"),
    *("created_at", "updated_at", "ended_at"),
    key=("id",),
)
HOLD_REQUEST: Final = _adding(
    "hold_request",
    "batch_requests",
    *("attempt_id", "job_id", "campaign_id", "item_id", "question", "own_id"),
)
FREE_REQUEST: Final = _removing("free_request", "batch_requests", "attempt_id")
_ANSWERED = ADD_REPLY, CHANGE_WORK, ADD_PAIRS
TOGETHER: Final = {
    change.columns: change
    for change in (
        _together("answer_attempt", FINISH_ATTEMPT, *_ANSWERED),
        _together("answer_late_attempt", FINISH_LATE_ATTEMPT, *_ANSWERED),
    )
}
"""What follows on each other for nearly every reply, by the names: for each change that is put, all
triggers are asked whether it is theirs. It saves a tenth of what a result takes."""
OFTEN: Final = (ADD_ATTEMPT, *TOGETHER.values())
SELDOM: Final = (
    *(
        REMOVE_ATTEMPT,
        FINISH_ATTEMPT,
        FINISH_LATE_ATTEMPT,
        CHANGE_TOLD,
        CHANGE_FACTS,
        ADD_REPLY,
        CHANGE_WORK,
    ),
    *(CHANGE_OPINION, PUT_CANARY, ADD_PAIRS, ADD_REJECTED, REMOVE_PAIRS, REMOVE_REJECTED),
    *(PUT_PROJECT, PUT_LIMIT, REMOVE_KEY, PUT_FORM, PUT_SETTING),
    *(PUT_JOB, HOLD_REQUEST, FREE_REQUEST),
)
CHANGES: Final = (*OFTEN, *SELDOM)


@cache
def inbox_definitions() -> tuple[str, ...]:
    """Return the statements that give a connection its inbox.

    What comes seldom goes on to a view of its own, so that few are asked of what comes often.
    """
    # ``NOT IN`` would make a table of the names each time.
    is_other = " AND ".join(f"NEW.change != '{change.name}'" for change in OFTEN)
    others = (
        f"CREATE TEMP TRIGGER others INSTEAD OF INSERT ON inbox WHEN {is_other}"  # noqa: S608
        " BEGIN INSERT INTO seldom VALUES (NEW.change, NEW.row, NEW.body); END"
    )
    return (
        *(_VIEW.format(view) for view in ("inbox", "seldom")),
        *(change.trigger_on("inbox") for change in OFTEN),
        *(change.trigger_on("seldom") for change in SELDOM),
        others,
    )


class Inbox:
    """Changes, in the order in which they are to be made."""

    def __init__(self) -> None:
        self._changes: list[tuple[str, tuple[Any, ...], bytes]] = []

    def put(self, change: Change, row: Row, body: bytes = b"") -> None:
        """Add a change; ``body`` is what a reply consists of."""
        self._changes.append((change.name, tuple(map(row.__getitem__, change.columns)), body))
        if change is ADD_PAIRS:
            self._join_latest()

    def _join_latest(self) -> None:
        """Make one change of the latest ones where they are such as follow on each other."""
        latest = self._changes[-4:]
        together = TOGETHER.get(tuple(name for name, *_ in latest))
        if together is not None:
            rows = tuple(cells for _, cells, _ in latest)
            self._changes[-4:] = [(together.name, rows, latest[1][2])]

    def parameters(self) -> dict[str, str | bytes]:
        """Return what ``PUT`` takes: each change with the places of its row and its body."""
        places: list[tuple[str, int, int, int, int]] = []
        content: list[bytes] = []
        start = 1
        for name, cells, body in self._changes:
            row = _as_json(cells)
            body_start = start + len(row)
            places.append((name, start, len(row), body_start, len(body)))
            content += row, body
            start = body_start + len(body)
        return {"changes": orjson.dumps(places).decode(), "content": b"".join(content)}


def _as_json(cells: object) -> bytes:
    try:
        coded = orjson.dumps(cells)
    except TypeError:
        # Half of a character, which a server's JSON may hold, and no database.
        coded = json.dumps(cells, ensure_ascii=False).encode(errors="replace")
    # SQLite would cut a text there.
    return _NUL.sub(rb"\1 ", coded) if b"\\u0000" in coded else coded
