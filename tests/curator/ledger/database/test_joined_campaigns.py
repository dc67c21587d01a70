"""Campaigns of one prompt that an older release kept apart, a model each, are joined."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

from curator.ledger import Campaign, Ledger, migrate
from curator.ledger.database.plain import reading
from curator.ledger.database.upgrade import upgrade
from curator.ledger.reports.campaigns import answered_twice
from shared.endpoints.keys.asked_model import AskedModel
from tests.curator.ledger.ledgers import kept_pairs, tallied


def test_a_reply_without_a_model_is_of_the_one_that_was_asked(tmp_path):
    """Two services that share a prompt share a campaign, too."""
    path = tmp_path / "l.db"
    former(path)
    migrate(path)
    with closing(sqlite3.connect(path)) as database:
        asked = database.execute(
            "SELECT id, annotator, model, model_version FROM attempts ORDER BY id"
        ).fetchall()
    assert asked == [
        (1, "gemini", "old", "old-001"),
        (2, "gemini", "old", ""),
        (3, "gemini", "old", "old-001"),
        (4, "openai", "new", "served"),
        (5, "openai", "new", "served"),
        (6, "openai", "new", ""),
        (7, "gemini", "old", "old-002"),
    ]


def reply_of(**fields) -> str:
    packed = zlib.compress(json.dumps(fields).encode(), level=1)
    return f"X'{packed.hex()}'"


def former(path: Path) -> None:
    """Leave a ledger of version 0006 in which two models were asked with one prompt.

    Image 1: both are done, the second later. 2: given up by the first, waits for the second.
    3: done by the first alone. 4: known to the second alone, done. 5: both are done, the first
    later, because it was gone on with.
    """
    upgrade(path, "0006")
    attempt = (
        "(campaign_id, item_id, key_fingerprint, project, model, started_at, reserved_tokens, "
        "finished_at, outcome, detail, input_tokens, output_tokens, thought_tokens, question)"
    )
    rows = [
        (1, 1, "old", 1.0, "answered", None),
        (1, 2, "old", 2.0, "unavailable", None),
        (1, 3, "old", 3.0, "answered", None),
        (2, 1, "new", 4.0, "answered", None),
        (2, 4, "new", 5.0, "answered", None),
        (2, 5, "new", 6.0, "answered", None),
        (1, 5, "old", 7.0, "answered", None),
    ]
    body = {"candidates": []}
    with closing(sqlite3.connect(path)) as database:
        for n in range(1, 6):
            database.execute("INSERT INTO items VALUES (?, ?, ?, ?, '{}')", (n, n, n, f"{n}.jpg"))
        database.executescript(
            """
            INSERT INTO campaigns VALUES (1, 'gemini', 'old', '1-abc', 3, 1.0, 7);
            INSERT INTO campaigns VALUES (2, 'openai', 'new', '1-abc', 3, 2.0, NULL);
            INSERT INTO campaigns VALUES (3, 'gemini', 'old', '2-def', 3, 3.0, NULL);
            INSERT INTO work VALUES (1, 1, 1, 0, '', 1.0, 2), (1, 2, 2, 5, 'no', 2.0, 1);
            INSERT INTO work VALUES (1, 3, 1, 0, '', 3.0, 3), (1, 5, 1, 0, '', 7.0, 4);
            INSERT INTO work VALUES (2, 1, 1, 0, '', 4.0, 1), (2, 2, 0, 0, '', NULL, 2);
            INSERT INTO work VALUES (2, 3, 0, 0, '', NULL, 3), (2, 4, 1, 0, '', 5.0, 4);
            INSERT INTO work VALUES (2, 5, 1, 0, '', 6.0, 5), (3, 1, 0, 0, '', NULL, 1);
            INSERT INTO pairs VALUES (1, 1, 0, 'Q?', 'red', '', ''), (1, 1, 1, 'R?', 'one', '', '');
            INSERT INTO pairs VALUES (1, 3, 0, 'Q?', 'blue', '', ''), (1, 5, 0, 'Q?', 'x', '', '');
            INSERT INTO pairs VALUES (2, 1, 0, 'Q?', 'green', '', ''), (2, 4, 0, 'Q?', 'y', '', '');
            INSERT INTO pairs VALUES (2, 5, 0, 'S?', 'z', '', '');
            INSERT INTO second_opinions VALUES (1, 1, 'R?', 1, 0, '', 'one', 1, 3.0);
            INSERT INTO second_opinions VALUES (2, 1, 'Q?', 1, 0, '', 'red', 0, 5.0);
            INSERT INTO second_opinions VALUES (1, 3, 'Q?', 1, 0, '', 'blue', 1, 5.0);
            INSERT INTO rejected_pairs VALUES (1, 1, 1, 1, 'duplicate', 'Q?', 'red');
            INSERT INTO rejected_pairs VALUES (2, 2, 1, 4, 'duplicate', 'Q?', 'red');
            """
        )
        for campaign, item, model, at, outcome, question in rows:
            values = (campaign, item, "fp", "p", model, at, 9, at, outcome, "", 5, 4, 3, question)
            database.execute(
                f"INSERT INTO attempts {attempt} VALUES ({', '.join('?' * len(values))})", values
            )
        for number, fields in (
            (1, {"modelVersion": "old-001"}),
            (3, {"modelVersion": "old-001"}),
            (4, {"model": "served"}),
            (5, {"model": "served"}),
            (6, {"model": {"not": "a name"}}),
            (7, {"modelVersion": "old-002"}),
        ):
            packed = reply_of(**body, **fields)
            database.execute(f"INSERT INTO replies VALUES ({number}, {packed})")
        database.commit()


def test_campaigns_of_one_prompt_are_joined_and_nothing_is_lost(tmp_path):
    path, fresh = tmp_path / "l.db", tmp_path / "fresh.db"
    former(path)
    migrate(path)
    migrate(fresh)
    assert (tmp_path / "l.db.0006.backup").exists()
    work, opinions, pairs, requests, *_ = tallied(path)
    assert work == {(1, 1, 4), (1, 0, 1), (3, 0, 1)}
    # The opinion on what the newer reply no longer holds is gone with its pair.
    assert opinions == {(1, 1, 0, 1), (1, 1, 1, 1)}
    assert pairs == {
        (1, "", "served", 2),
        (1, "", "old-001", 1),
        (1, "", "old-002", 1),
        (1, "duplicate", "old-001", 1),
        (1, "duplicate", "served", 1),
    }
    assert {(model, count) for _, model, *_, count in requests} == {
        ("old", 3),
        ("old", 1),
        ("new", 3),
    }
    with closing(sqlite3.connect(path)) as database, closing(sqlite3.connect(fresh)) as other:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        schema = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
        assert database.execute(schema).fetchall() == other.execute(schema).fetchall()
        assert database.execute("SELECT count(*) FROM replies").fetchone() == (6,)
        assert database.execute("SELECT DISTINCT campaign_id FROM attempts").fetchall() == [(1,)]
        campaigns = "SELECT id, annotator, models, shuffle_seed FROM campaigns ORDER BY id"
        assert database.execute(campaigns).fetchall() == [
            (1, "gemini", '[{"name":"old"}]', 7),
            (3, "gemini", '[{"name":"old"}]', None),
        ]
        queue = "SELECT item_id, state FROM work WHERE campaign_id = 1 ORDER BY rank"
        assert database.execute(queue).fetchall() == [(2, 0), (1, 1), (3, 1), (5, 1), (4, 1)]

    async def read() -> None:
        async with Ledger.opened(path) as ledger:
            campaign = Campaign((AskedModel("newest"),), "1-abc", 3)
            assert await ledger.enrol(campaign, 9.0) == 1
            assert [(pair.filename, pair.answer, pair.model) for pair in kept_pairs(path)] == [
                ("1.jpg", "green", "served"),
                ("3.jpg", "blue", "old-001"),
                ("4.jpg", "y", "served"),
                ("5.jpg", "x", "old-002"),
            ]
            with reading(path) as connection:
                assert answered_twice(connection, 1) == 2

    asyncio.run(read())


def test_several_campaigns_that_are_joined_keep_the_newest_of_all(tmp_path):
    path = tmp_path / "l.db"
    upgrade(path, "0006")
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO items VALUES (1, 'L', 'i', '1.jpg', '{}')")
        for n in range(1, 5):
            database.executescript(
                f"""
                INSERT INTO campaigns VALUES ({n}, 'gemini', 'm{n}', '1-abc', 3, 1.0, NULL);
                INSERT INTO work VALUES ({n}, 1, 1, 0, '', 1.0, 1);
                INSERT INTO pairs VALUES ({n}, 1, 0, 'Q?', 'a{n}', '', '');
                """
            )
        # Asked in another order than the campaigns were begun in.
        for n in (2, 1, 4, 3):
            database.execute(
                "INSERT INTO attempts (campaign_id, item_id, key_fingerprint, project, model, "
                "started_at, reserved_tokens, outcome, detail, input_tokens, output_tokens, "
                f"thought_tokens) VALUES ({n}, 1, 'fp', 'p', 'm{n}', 1, 9, 'answered', '', 1, 1, 1)"
            )
        database.commit()
    migrate(path)
    tallied(path)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT campaign_id, answer FROM pairs").fetchall() == [(1, "a3")]
        assert database.execute("SELECT id, models FROM campaigns").fetchall() == [
            (1, '[{"name":"m3"}]')
        ]
        assert database.execute("SELECT count(*) FROM attempts").fetchone() == (4,)
