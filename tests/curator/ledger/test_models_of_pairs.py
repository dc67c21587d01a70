"""A campaign outlives its models: nothing is asked twice, and each pair says who made it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

from curator.annotators.annotator import Service
from curator.ledger import Campaign, Ledger, migrate
from curator.ledger.database.upgrade import upgrade
from shared.corpus import read_pairs
from tests.curator.annotators.test_openai_sdk import known_pairs
from tests.curator.campaigns import PICTURES
from tests.curator.ledger.test_ledger import tallied
from tests.fakes.openai_server import OpenAIServer

FIRST, SECOND = "gemini-2.5-flash", "gemini-3-flash"


def made_by(out: Path) -> dict[str, int]:
    models = [pair.provenance.model for pair in read_pairs(out)]
    return {model: models.count(model) for model in models}


async def test_another_model_is_asked_only_about_what_is_left(stage):
    campaign = await stage()
    assert (await campaign.run(model=FIRST, limit=5)).code == 0
    assert (await campaign.run(model=SECOND)).code == 0
    assert campaign.requests == PICTURES
    status = await campaign.status()
    told = {FIRST: 5 * 3, SECOND: (PICTURES - 5) * 3}
    assert (status["model"], status["pairs_by_model"]) == (SECOND, told)
    assert set(status["tokens_by_model"]) == {FIRST, SECOND}
    assert status["progress"]["done"] == PICTURES
    for out in (campaign.folder / "qa.parquet", campaign.folder / "dataset"):
        result = await campaign.command("export", "--out", str(out))
        assert (result.code, result.out) == (0, f"{3 * PICTURES} pairs in {out}\n")
        assert made_by(out) == told
    manifest = json.loads((campaign.folder / "dataset" / "manifest.json").read_text())
    assert manifest["pairs_by_model"] == told
    assert "model" not in manifest["source"]
    shown = await campaign.command("status")
    assert f"{FIRST} 15, {SECOND} 21" in " ".join(shown.out.split())


async def test_the_status_of_a_run_counts_the_pairs_of_those_before_it(stage):
    campaign = await stage(latency={"mean_ms": 50})
    assert (await campaign.run(model=FIRST, limit=4)).code == 0
    running = asyncio.create_task(campaign.run(model=SECOND, verify=0.5))
    assert (await running).code == 0
    assert campaign.server.stats()["images"]["repeats"] == 0
    status = await campaign.status()
    assert status["pairs_by_model"] == {FIRST: 12, SECOND: 24}
    second = status["second_opinions"]
    assert second["agrees"] + second["disagrees"] == campaign.requests - PICTURES > 0


async def test_another_service_goes_on_and_each_reply_is_read_by_its_own(stage, tmp_path):
    campaign = await stage()
    assert (await campaign.run(model=FIRST, limit=5)).code == 0
    images = campaign.catalog / "images" / "small"
    server = OpenAIServer(known_pairs(images, tmp_path))
    async with server.serving() as url:
        asked = {"annotator": Service.OPENAI, "model": "llava", "keys": None, "base_url": url}
        assert (await campaign.run(**asked)).code == 0
    assert (campaign.requests, len(server.seen)) == (5, PICTURES - 5)
    told = {FIRST: 15, "llava": 3 * (PICTURES - 5)}
    judged = await campaign.command("reparse")
    assert f"{PICTURES} images judged again, {3 * PICTURES} pairs; 0 images gained" in judged.out
    status = await campaign.status()
    assert (status["annotator"], status["pairs_by_model"]) == ("openai", told)


async def test_what_is_given_up_and_what_is_left_out_has_a_line_each(stage):
    campaign = await stage(fault=[{"kind": "safety", "at": (2,)}])
    assert (await campaign.run(limit=6, concurrency=1)).code == 0
    await campaign.run(questions=2, limit=1)
    out = str(campaign.folder / "qa.csv")
    refused = await campaign.command("export", "--out", out)
    assert refused.code == 2
    assert "several campaigns" in refused.err
    assert "2 questions" in refused.err
    result = await campaign.command("export", "--out", out, "--campaign", "1")
    lines = [line for line in result.out.splitlines() if line.startswith("left out: ")]
    assert len(lines) == 3, result.out
    assert "1 images given up" in lines[0]
    assert "--retry-dead" in lines[0]
    assert "6 images that wait" in lines[1]
    assert "campaign 2 " in lines[2]


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
    work, opinions, pairs, requests = tallied(path)
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
    assert {(model, count) for _, model, _, _, _, count, _ in requests} == {
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
        campaigns = "SELECT id, annotator, model, shuffle_seed FROM campaigns ORDER BY id"
        assert database.execute(campaigns).fetchall() == [
            (1, "gemini", "old", 7),
            (3, "gemini", "old", None),
        ]
        queue = "SELECT item_id, state FROM work WHERE campaign_id = 1 ORDER BY rank"
        assert database.execute(queue).fetchall() == [(2, 0), (1, 1), (3, 1), (5, 1), (4, 1)]

    async def read() -> None:
        async with Ledger.opened(path) as ledger:
            campaign = Campaign("newest", "1-abc", 3)
            assert await ledger.enrol(campaign, 9.0) == 1
            found, _ = await ledger.pairs_after(1, campaign, 0, 10)
            assert [(one.filename, one.answer, one.provenance.model) for one in found] == [
                ("1.jpg", "green", "served"),
                ("3.jpg", "blue", "old-001"),
                ("4.jpg", "y", "served"),
                ("5.jpg", "x", "old-002"),
            ]
            assert await ledger.answered_twice(1) == 2

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
        assert database.execute("SELECT id, model FROM campaigns").fetchall() == [(1, "m3")]
        assert database.execute("SELECT count(*) FROM attempts").fetchone() == (4,)
