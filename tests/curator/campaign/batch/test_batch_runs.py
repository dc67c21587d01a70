"""Campaigns in batch jobs: every image once, whatever the service makes of its jobs."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing

import pytest

from shared.endpoints.models.asked_settings import AskedSettings
from shared.endpoints.models.tier import Tier
from tests.curator.campaigns import PICTURES


def pairs_of(ledger) -> dict[str, set]:
    """Return the questions and answers of each image."""
    with closing(sqlite3.connect(ledger)) as database:
        rows = database.execute(
            "SELECT image_path, question, answer FROM pairs JOIN items ON items.id = item_id"
        ).fetchall()
    pairs: dict[str, set] = {}
    for path, question, answer in rows:
        pairs.setdefault(path, set()).add((question, answer))
    return pairs


def count(ledger, statement: str):
    with closing(sqlite3.connect(ledger)) as database:
        return database.execute(statement).fetchall()


async def right_pairs(campaign) -> dict[str, set]:
    """Return what the same campaign brings through plain requests."""
    ledger = campaign.ledger.with_name("beside.db")
    assert (await campaign.run(ledger=ledger)).code == 0
    return pairs_of(ledger)


async def assert_every_image_once(campaign, *, asked: int = PICTURES) -> dict:
    """Check what a finished campaign leaves in the ledger and at the service."""
    status = await campaign.status()
    assert status["progress"] == {"done": PICTURES, "dead": 0, "pending": 0, "total": PICTURES}
    told = campaign.server.stats()["batch"]
    assert told["requests_sent"] == asked
    assert (told["files"]["uploaded"], told["files"]["generated"]) == (0, 0)
    assert count(campaign.ledger, "SELECT count(*) FROM batch_requests") == [(0,)]
    assert count(campaign.ledger, "SELECT count(*) FROM attempts WHERE outcome = 'open'") == [(0,)]
    assert count(campaign.ledger, "SELECT DISTINCT tier FROM attempts") == [("batch",)]
    assert pairs_of(campaign.ledger) == await right_pairs(campaign)
    return told


async def test_a_campaign_in_one_job(stage, clock):
    campaign = await stage(clock=clock)
    result = await campaign.run(clock, tier=Tier.BATCH)
    assert result.code == 0, result.err
    told = await assert_every_image_once(campaign)
    assert told["jobs"] == {"succeeded": 1}
    status = await campaign.status()
    assert status["attempts"] == {"answered": PICTURES}
    # Nothing was asked besides, and half is paid.
    assert campaign.server.stats()["requests"] == PICTURES
    tokens = status["tokens"]
    usd = (tokens["input"] * 0.30 + tokens["output"] * 2.50) / 2e6
    assert status["cost_usd"] == pytest.approx(usd)


@pytest.mark.parametrize(
    ("kind", "asked_again"),
    [
        ("late", 0),
        ("shuffled", 0),
        ("output_late", 0),
        ("unknown_state", 0),
        ("create_dropped", 0),
        ("create_refused", 0),
        ("upload_failed", 0),
        ("download_failed", 0),
        ("download_cut", 0),
        ("empty", PICTURES),
        ("blank", PICTURES),
        ("failed", PICTURES),
        ("expired", PICTURES),
        ("cancelled", PICTURES),
    ],
)
async def test_a_job_with_a_fault_leaves_every_image_answered_once(stage, clock, kind, asked_again):
    campaign = await stage(clock=clock, batch={"fault": [{"kind": kind, "at": [1]}]})
    result = await campaign.run(clock, tier=Tier.BATCH)
    assert result.code == 0, result.err
    await assert_every_image_once(campaign, asked=PICTURES + asked_again)


@pytest.mark.parametrize(
    ("kind", "asked_again"),
    [
        ("swapped", 0),
        ("twice", 0),
        ("missing", 2),
        ("row_error", 2),
        ("broken_line", 2),
        ("fenced", 0),
        ("numbered", 0),
        ("trailing_comma", 0),
        ("nonsense", 2),
        ("safety", 2),
        ("no_candidate", 2),
    ],
)
async def test_results_with_a_fault_are_put_right_or_asked_again(stage, clock, kind, asked_again):
    campaign = await stage(clock=clock, batch={"fault": [{"kind": kind, "at": [3, 8]}]})
    result = await campaign.run(clock, tier=Tier.BATCH)
    assert result.code == 0, result.err
    await assert_every_image_once(campaign, asked=PICTURES + asked_again)
    outcomes = Counter(
        dict(count(campaign.ledger, "SELECT outcome, count(*) FROM attempts GROUP BY 1"))
    )
    assert outcomes.total() == PICTURES + asked_again


async def test_results_of_which_most_are_swapped_are_put_right(stage, clock):
    campaign = await stage(clock=clock, batch={"fault": [{"kind": "swapped", "rate": 0.8}]})
    result = await campaign.run(clock, tier=Tier.BATCH)
    assert result.code == 0, result.err
    told = await assert_every_image_once(campaign)
    assert told["requests"]["swapped"] > PICTURES // 2


async def test_a_setting_that_a_model_refuses_is_left_out_of_the_next_job(stage, clock):
    levels = {"name": "gemini-3.5-flash-lite", "thought_tokens": {"low": 9}, "thinking": "low"}
    campaign = await stage(clock=clock, model=[levels])
    result = await campaign.run(clock, tier=Tier.BATCH, settings=AskedSettings("high"))
    assert result.code == 0, result.err
    assert result.err.count("model_takes_no_such_setting") == 1
    status = await campaign.status()
    assert status["progress"]["done"] == PICTURES
    assert status["attempts"] == {"answered": PICTURES, "bad_request": PICTURES}
    rows = count(campaign.ledger, "SELECT DISTINCT outcome, thinking FROM attempts ORDER BY 1")
    assert list(map(tuple, rows)) == [("answered", ""), ("bad_request", "high")]
