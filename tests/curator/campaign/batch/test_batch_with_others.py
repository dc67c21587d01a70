"""Batch jobs beside other tiers, keys that come and go, quotas, budgets and bad input."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing

import pytest

from shared.endpoints.models.budget_limit import BudgetLimit
from shared.endpoints.models.tier import Tier
from shared.endpoints.protocols.registry import Service
from tests.curator.campaign.batch.test_batch_runs import (
    assert_every_image_once,
    count,
    pairs_of,
    right_pairs,
)
from tests.curator.campaigns import KEYS, PICTURES
from tests.fakes.jumping_clock import JumpingClock

HOUR_S = 3_600.0


@pytest.fixture
def clock() -> JumpingClock:
    """A clock of today: the runs that a test interrupts go by the machine's."""
    return JumpingClock(time.time())


def waiting_jobs(ledger) -> int:
    if not ledger.exists():
        return 0
    with closing(sqlite3.connect(ledger)) as database:
        try:
            statement = "SELECT count(*) FROM batch_jobs WHERE job_name <> '' AND ended_at IS NULL"
            return database.execute(statement).fetchone()[0]
        except sqlite3.OperationalError:
            return 0


async def interrupted(campaign, jobs: int = 1, **more) -> None:
    """Run until so many jobs are under way at the service, and no further."""
    running = asyncio.create_task(campaign.run(tier=Tier.BATCH, **more))
    try:
        async with asyncio.timeout(30):
            while waiting_jobs(campaign.ledger) < jobs:  # noqa: ASYNC110 - watched from outside
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_standard_run_leaves_alone_what_a_job_holds_and_fetches_what_it_brought(
    stage, clock
):
    campaign = await stage(clock=clock, batch={"running_s": HOUR_S})
    await interrupted(campaign, limit=8)
    held = campaign.server.stats()["batch"]["requests_sent"]
    assert held == 8
    result = await campaign.run(clock)
    assert result.code == 75, result.err
    assert "1 batch job with 8 images goes on at the service" in result.err.splitlines()[-1]
    assert campaign.requests == PICTURES - held
    status = await campaign.status()
    assert status["batch_jobs"]["requests_held"] == {"waiting": 8} or status["batch_jobs"][
        "requests_held"
    ] == {"running": 8}
    assert "8 images are in batch jobs" in status["eta_unknown_because"]
    clock.time += HOUR_S
    result = await campaign.run(clock)
    assert result.code == 0, result.err
    status = await campaign.status()
    assert status["progress"]["done"] == PICTURES
    assert campaign.requests == PICTURES - held
    assert campaign.server.stats()["batch"]["requests_sent"] == held
    assert status["batch_jobs"] == {
        "jobs": {"succeeded": 1},
        "requests_held": {},
        "oldest_at": None,
        "files_left": 0,
    }
    tiers = count(campaign.ledger, "SELECT tier, count(*) FROM attempts GROUP BY 1 ORDER BY 1")
    assert tiers == [("batch", 8), ("standard", 4)]
    assert pairs_of(campaign.ledger) == await right_pairs(campaign)


async def test_another_batch_run_goes_on_with_the_jobs_of_the_one_before(stage, clock):
    campaign = await stage(clock=clock, batch={"running_s": HOUR_S})
    await interrupted(campaign)
    result = await campaign.run(clock, tier=Tier.BATCH)
    assert result.code == 0, result.err
    await assert_every_image_once(campaign)


OF_TWO_PROJECTS = {
    "accept_unlisted_keys": False,
    "project": [{"name": "first"}, {"name": "second"}],
    "key": [
        {"api_key": KEYS[0], "project": "first"},
        {"api_key": KEYS[1], "project": "first"},
        {"api_key": KEYS[2], "project": "second"},
    ],
}


def write_keys(campaign, *keys: tuple[str, str]) -> None:
    tables = [f'[[key]]\napi_key = "{key}"\nproject = "{project}"\n' for key, project in keys]
    (campaign.folder / "keys.txt").write_text("\n".join(tables))
    (campaign.folder / "keys.toml").write_text("\n".join(tables))


async def test_another_key_of_the_project_fetches_a_job(stage, clock):
    campaign = await stage(clock=clock, batch={"running_s": HOUR_S}, **OF_TWO_PROJECTS)
    write_keys(campaign, (KEYS[0], "first"))
    keys = campaign.folder / "keys.toml"
    await interrupted(campaign, keys=keys)
    write_keys(campaign, (KEYS[1], "first"))
    result = await campaign.run(clock, tier=Tier.BATCH, keys=keys)
    assert result.code == 0, result.err
    await assert_every_image_once(campaign)


async def test_a_job_that_no_key_can_see_is_told_and_given_up_in_the_end(stage, clock):
    campaign = await stage(clock=clock, batch={"running_s": HOUR_S}, **OF_TWO_PROJECTS)
    write_keys(campaign, (KEYS[0], "first"))
    keys = campaign.folder / "keys.toml"
    await interrupted(campaign, keys=keys)
    write_keys(campaign, (KEYS[2], "second"))
    result = await campaign.run(clock, keys=keys)
    assert result.code == 75
    [told] = [line for line in result.err.splitlines() if "batch_job_out_of_reach" in line]
    assert "project=first" in told
    assert "put a key that serves of that project into the keys file" in told
    assert campaign.requests == 0
    clock.time += 3 * 86_400 + 60
    result = await campaign.run(clock, keys=keys)
    assert result.code == 0, result.err
    assert (await campaign.status())["progress"]["done"] == PICTURES
    assert campaign.requests == PICTURES


async def test_a_project_over_its_quota_of_jobs_rests_for_jobs_alone(stage, clock):
    limits = {"project": [{"name": "first", "batch_jobs": 1}]}
    faults = [{"kind": "failed", "at": [1, 2]}]
    campaign = await stage(
        KEYS[0],
        clock=clock,
        batch={"running_s": HOUR_S, "fault": faults},
        accept_unlisted_keys=False,
        key=[{"api_key": KEYS[0], "project": "first"}],
        **limits,
    )
    result = await campaign.run(clock, tier=Tier.BATCH)
    assert result.code == 0, result.err
    # After two failures the images go in several jobs, of which one may be open at a time.
    assert "batch_quota_used_up" in result.err
    assert campaign.server.stats()["batch"]["refused"]["over_quota"] == 1
    await assert_every_image_once(campaign, asked=3 * PICTURES)


async def test_a_run_without_any_quota_of_jobs_ends_in_good_order_and_leaves_no_file(stage, clock):
    campaign = await stage(
        KEYS[0],
        clock=clock,
        accept_unlisted_keys=False,
        project=[{"name": "first", "batch_tokens": 10}],
        key=[{"api_key": KEYS[0], "project": "first"}],
    )
    result = await campaign.run(clock, tier=Tier.BATCH)
    assert result.code == 75
    last = result.err.splitlines()[-1]
    assert "no project may make another batch job now (RESOURCE_EXHAUSTED: " in last
    assert "--tier standard" in last
    assert campaign.server.stats()["batch"]["files"]["uploaded"] == 0
    assert (await campaign.status())["attempts"] == {}
    # Requests at once have a quota of their own.
    assert (await campaign.run(clock)).code == 0


async def test_jobs_that_all_fail_end_the_run_and_blame_no_image(stage, clock):
    campaign = await stage(clock=clock, batch={"fault": [{"kind": "failed", "every": 1}]})
    result = await campaign.run(clock, tier=Tier.BATCH)
    assert result.code == 75
    last = result.err.splitlines()[-1]
    assert "3 batch jobs in a row brought nothing" in last
    assert "Internal error encountered" in last
    assert "--tier standard" in last
    assert count(campaign.ledger, "SELECT state, attempts, count(*) FROM work GROUP BY 1, 2") == [
        (0, 0, PICTURES)
    ]
    assert (await campaign.run(clock)).code == 0


async def test_jobs_of_before_that_brought_nothing_end_no_run_that_asks_at_once(stage, clock):
    faults = [{"kind": "failed", "at": list(range(2, 30))}]
    campaign = await stage(clock=clock, batch={"running_s": HOUR_S, "fault": faults})
    assert (await campaign.run(clock, tier=Tier.BATCH, limit=1)).code == 0
    clock.time = time.time()
    # Images that failed so often go into jobs of their own.
    with closing(sqlite3.connect(campaign.ledger)) as database, database:
        database.execute("UPDATE work SET attempts = 3 WHERE state = 0")
    await interrupted(campaign, jobs=5)
    clock.time += HOUR_S
    result = await campaign.run(clock)
    assert result.code == 0, result.err
    assert "batch_jobs_brought_nothing" in result.err
    status = await campaign.status()
    assert status["progress"]["done"] == PICTURES
    assert status["batch_jobs"]["requests_held"] == {}


async def test_a_job_that_is_never_over_is_cancelled_and_its_images_asked_again(stage, clock):
    days = 86_400
    campaign = await stage(
        clock=clock,
        batch={
            "late_s": 30 * days,
            "expires_s": 60 * days,
            "fault": [{"kind": "late", "at": [1]}],
        },
    )
    began = clock.time
    result = await campaign.run(clock, tier=Tier.BATCH)
    assert result.code == 0, result.err
    assert 3 * days < clock.time - began < 4 * days
    told = await assert_every_image_once(campaign, asked=2 * PICTURES)
    assert told["jobs"] == {"cancelled": 1, "succeeded": 1}


async def test_replies_that_all_name_nobody_end_the_run(stage, clock):
    campaign = await stage(clock=clock, batch={"fault": [{"kind": "nonsense", "every": 1}]})
    result = await campaign.run(clock, tier=Tier.BATCH)
    assert result.code == 1
    last = result.err.splitlines()[-1]
    assert "nothing comes of this campaign" in last
    assert "the reply names no image of its batch job" in last
    status = await campaign.status()
    assert status["progress"]["pending"] == PICTURES
    # What they took is paid all the same.
    assert status["tokens"]["input"] > 0


async def test_a_limit_holds_for_what_jobs_hold(stage, clock):
    campaign = await stage(clock=clock)
    result = await campaign.run(clock, tier=Tier.BATCH, limit=5)
    assert result.code == 0, result.err
    status = await campaign.status()
    assert (status["progress"]["done"], status["progress"]["pending"]) == (5, PICTURES - 5)
    assert campaign.server.stats()["batch"]["requests_sent"] == 5


async def test_second_opinions_are_asked_in_jobs_too(stage, clock):
    campaign = await stage(clock=clock)
    result = await campaign.run(clock, tier=Tier.BATCH, verify=1.0)
    assert result.code == 0, result.err
    status = await campaign.status()
    opinions = status["second_opinions"]
    assert opinions["agrees"] == status["pairs"] > PICTURES
    assert campaign.requests == 0
    assert campaign.server.stats()["batch"]["requests_sent"] == PICTURES + status["pairs"]


@pytest.mark.parametrize("kind", ["tokens", "usd"])
async def test_a_budget_is_kept_with_what_jobs_hold(stage, clock, kind):
    campaign = await stage(clock=clock)
    beside = campaign.ledger.with_name("all.db")
    assert (await campaign.run(clock, tier=Tier.BATCH, ledger=beside)).code == 0
    statement = "SELECT sum(input_tokens), sum(output_tokens + thought_tokens) FROM attempts"
    [(taken, given)] = count(beside, statement)
    all_usd = (taken * 0.30 + given * 2.50) / 2e6
    half = BudgetLimit(**{kind: {"tokens": (taken + given) // 2, "usd": all_usd / 2}[kind]})
    result = await campaign.run(clock, tier=Tier.BATCH, budget=half)
    assert result.code == 75, result.err
    assert f"give a larger --budget-{kind} to go on" in result.err.splitlines()[-1]
    status = await campaign.status()
    tokens = status["tokens"]["input"] + status["tokens"]["output"] + status["tokens"]["thoughts"]
    share = tokens / (taken + given) if kind == "tokens" else status["cost_usd"] / all_usd
    assert 0.3 < share <= 0.5
    assert status["attempts"] == {"answered": status["progress"]["done"]}
    assert (await campaign.run(clock, tier=Tier.BATCH)).code == 0
    assert (await campaign.status())["progress"]["done"] == PICTURES


async def test_what_open_jobs_hold_is_reserved_of_a_budget(stage, clock):
    campaign = await stage(clock=clock, batch={"running_s": HOUR_S})
    assert (await campaign.run(clock, tier=Tier.BATCH, limit=2)).code == 0
    clock.time = time.time()
    await interrupted(campaign, limit=8)
    spent = (await campaign.status())["tokens"]
    each = (spent["input"] + spent["output"]) // 2
    result = await campaign.run(clock, budget=BudgetLimit(tokens=8 * each))
    assert result.code == 75
    assert campaign.requests == 0


async def test_a_model_without_batches_is_said_in_one_line(stage, clock):
    model = {"name": "gemini-3.5-flash-lite", "tiers": ["standard"]}
    campaign = await stage(clock=clock, model=[model])
    result = await campaign.run(clock, tier=Tier.BATCH)
    assert result.code == 2
    assert "give another --model, or another --tier" in result.err.splitlines()[-1]
    assert (await campaign.run(clock)).code == 0


async def test_a_model_without_json_mode_is_asked_plainly_and_no_image_pays_for_it(stage, clock):
    campaign = await stage(clock=clock, model=[{"name": "gemma-9-it", "json_mode": False}])
    result = await campaign.run(clock, tier=Tier.BATCH, model="gemma-9-it")
    assert result.code == 0, result.err
    assert result.err.count("model_takes_no_such_form") == 1
    status = await campaign.status()
    assert status["progress"]["done"] == PICTURES
    assert status["attempts"] == {"answered": PICTURES, "bad_request": PICTURES}
    assert count(campaign.ledger, "SELECT DISTINCT attempts FROM work") == [(0,)]


async def test_files_that_the_service_refuses_end_the_run_and_nothing_is_lost(stage, clock):
    # Every file is gone before a job can be made of it.
    campaign = await stage(clock=clock, files={"largest_bytes": 1_000})
    result = await campaign.run(clock, tier=Tier.BATCH)
    assert result.code == 2, result.err
    last = result.err.splitlines()[-1]
    assert "3 batch jobs in a row brought nothing" in last
    assert "its batch file was refused" in last
    assert count(campaign.ledger, "SELECT state, attempts, count(*) FROM work GROUP BY 1, 2") == [
        (0, 0, PICTURES)
    ]
    assert (await campaign.run(clock)).code == 0


async def test_an_annotator_without_batches_is_said_in_one_line(stage):
    campaign = await stage()
    result = await campaign.run(tier=Tier.BATCH, annotator=Service.OPENAI, models=["some"])
    assert result.code == 2
    assert "--tier batch: --service openai takes standard" in result.err
    assert not campaign.ledger.exists()
