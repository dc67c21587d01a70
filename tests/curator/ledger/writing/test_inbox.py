"""All changes of a group are made in one step, or none is."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from curator.ledger.database import tables
from curator.ledger.writing import inbox
from curator.ledger.writing.inbox import CHANGES, PUT, Inbox, inbox_definitions
from tests.curator.ledger.ledgers import fresh_ledger


@pytest.fixture
def database(tmp_path):
    fresh_ledger(tmp_path / "l.db")
    with closing(sqlite3.connect(tmp_path / "l.db", isolation_level=None)) as connection:
        for definition in inbox_definitions():
            connection.execute(definition)
        yield connection


def put(database: sqlite3.Connection, changes: Inbox) -> None:
    database.execute(PUT, changes.parameters())


def attempt(number: int) -> dict[str, object]:
    columns = {column.name: "" for column in tables.attempts.c} | {"question": None}
    return {**columns, "id": number, "campaign_id": 1, "item_id": number}


def test_every_change_is_made(database):
    database.execute("INSERT INTO work VALUES (1, 1, 0, 0, '', NULL, 1, NULL)")
    database.execute("INSERT INTO second_opinions VALUES (1, 1, '1', 0, 0, '', '', 0, NULL)")
    database.execute("INSERT INTO keys VALUES ('1', '', '', '', 0, NULL, NULL, NULL, 0)")
    # What is added first is there to be changed, and then removed.
    for kind in ("add", "put", "change", "finish", "remove"):
        for change in CHANGES:
            if change.name.startswith(kind):
                before = database.total_changes
                changes = Inbox()
                row = dict.fromkeys(change.columns, 1) | {"rows": [[1] * 6]}
                changes.put(change, row, b"body")
                put(database, changes)
                assert database.total_changes > before, change.name
    for table in ("attempts", "pairs", "rejected_pairs"):
        assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    for table in ("replies", "projects", "learned_limits"):
        assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
    assert database.execute("SELECT state FROM work").fetchone() == (1,)
    assert database.execute("SELECT agrees FROM second_opinions").fetchone() == (1,)
    assert database.execute("SELECT removed_because FROM keys").fetchone() == ("1",)


def test_changes_are_made_in_their_order(database):
    changes = Inbox()
    changes.put(inbox.ADD_ATTEMPT, attempt(1))
    changes.put(inbox.REMOVE_ATTEMPT, {"id": 1})
    changes.put(inbox.ADD_ATTEMPT, attempt(2))
    changes.put(inbox.CHANGE_FACTS, {**attempt(2), "form": "list"})
    put(database, changes)
    assert database.execute("SELECT id, form FROM attempts").fetchall() == [(2, "list")]


def test_each_reply_keeps_its_own_bytes(database):
    bodies = [b"one", b"\0\xff\xfe", b"a longer one"]
    changes = Inbox()
    for number, body in enumerate(bodies):
        changes.put(inbox.ADD_REPLY, {"attempt_id": number}, body)
    put(database, changes)
    stored = database.execute("SELECT body FROM replies ORDER BY attempt_id").fetchall()
    assert stored == [(body,) for body in bodies]


@pytest.mark.parametrize("finish", [inbox.FINISH_ATTEMPT, inbox.FINISH_LATE_ATTEMPT])
def test_what_is_made_as_one_change_comes_to_the_same_as_each_by_itself(tmp_path, finish):
    told = attempt(1) | {"outcome": "answered", "model_version": "m", "input_tokens": 7}
    work = {"campaign_id": 1, "item_id": 1, "attempt_id": 1, "state": 1, "attempts": 0}
    pairs = [("Q?", "red", "easy", "", "", None), ("R?", "one", "hard", "", "", {"a": 1})]
    rows = [
        (finish, told | {"started_at": 2.0, "finished_at": 3.0}, b""),
        (inbox.ADD_REPLY, {"attempt_id": 1}, b"a reply"),
        (inbox.CHANGE_WORK, work | {"reason": "", "finished_at": 3.0}, b""),
        (inbox.ADD_PAIRS, work | {"rows": pairs}, b""),
        (inbox.ADD_PAIRS, work | {"item_id": 2, "rows": pairs}, b""),
        (inbox.ADD_REPLY, {"attempt_id": 2}, b"another"),
    ]
    together = Inbox()
    for row in rows:
        together.put(*row)
    assert str(together.parameters()["changes"]).count("answer_") == 1
    apart = [Inbox() for _ in rows]
    for alone, row in zip(apart, rows, strict=True):
        alone.put(*row)
    dumps = []
    for name, inboxes in (("together", [together]), ("apart", apart)):
        fresh_ledger(tmp_path / name)
        with closing(sqlite3.connect(tmp_path / name, isolation_level=None)) as database:
            for definition in inbox_definitions():
                database.execute(definition)
            database.execute(
                "INSERT INTO work (campaign_id, item_id, state, attempts, reason)"
                " VALUES (1, 1, 0, 0, '')"
            )
            begun = Inbox()
            begun.put(inbox.ADD_ATTEMPT, attempt(1))
            for each in (begun, *inboxes):
                put(database, each)
            dumps.append(list(database.iterdump()))
    assert dumps[0] == dumps[1]
    assert sum('INTO "pairs"' in line for line in dumps[0]) == 4


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ('"quotes" \\ and {"json": [1]}', '"quotes" \\ and {"json": [1]}'),
        ("12", "12"),
        ("日本 é", "日本 é"),
        ("half \ud83d", "half ?"),
        ("nul \0 and \0\0", "nul   and   "),
        ("no nul: \\u0000, \\\0", "no nul: \\u0000, \\ "),
        ("null", "null"),
    ],
)
def test_text_stays_what_it_is(database, text, stored):
    changes = Inbox()
    changes.put(inbox.ADD_ATTEMPT, {**attempt(1), "detail": text})
    changes.put(
        inbox.ADD_PAIRS,
        {"campaign_id": 1, "item_id": 1, "attempt_id": 1, "rows": [(text, "red", *[""] * 4)]},
    )
    put(database, changes)
    assert database.execute("SELECT detail FROM attempts").fetchall() == [(stored,)]
    assert database.execute("SELECT position, question FROM pairs").fetchall() == [(0, stored)]


def test_where_one_change_cannot_be_made_none_is(database):
    changes = Inbox()
    for number in (1, 2, 1):
        changes.put(inbox.ADD_ATTEMPT, attempt(number))
    with pytest.raises(sqlite3.IntegrityError):
        put(database, changes)
    assert database.execute("SELECT count(*) FROM attempts").fetchone() == (0,)
    assert not database.in_transaction
