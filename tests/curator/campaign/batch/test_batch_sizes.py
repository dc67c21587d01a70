"""How large jobs are where a quota or a budget has no room for a whole one, and what they leave."""

from __future__ import annotations

import json

import pytest

from shared.endpoints.models.budget_limit import BudgetLimit
from shared.endpoints.models.tier import Tier
from tests.curator.campaign.batch.test_batch_runs import (
    assert_every_image_once,
    count,
)
from tests.curator.campaigns import KEYS, PICTURES


def sizes_made(campaign) -> list[int]:
    statement = "SELECT requests FROM batch_jobs WHERE job_name <> '' ORDER BY id"
    return [size for (size,) in count(campaign.ledger, statement)]


async def test_a_quota_smaller_than_a_whole_job_makes_jobs_smaller_for_good(stage, clock):
    campaign = await stage(
        KEYS[0],
        clock=clock,
        accept_unlisted_keys=False,
        project=[{"name": "first", "batch_tokens": 2_000}],
        key=[{"api_key": KEYS[0], "project": "first"}],
    )
    result = await campaign.run(clock, tier=Tier.BATCH)
    assert result.code == 0, result.err
    assert sizes_made(campaign) == [3] * 4
    log = (campaign.folder / "campaign.db.log.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in log if "batch_jobs_made_smaller" in line]
    assert [entry["images"] for entry in told] == [6, 3]
    await assert_every_image_once(campaign)


@pytest.mark.parametrize(
    ("budget", "first_job"),
    [
        (BudgetLimit(usd=5.0), PICTURES),
        # Each of the first job is reckoned with all that it may write.
        (BudgetLimit(tokens=45_000), 5),
        (BudgetLimit(tokens=5_000), 1),
    ],
)
async def test_the_first_job_has_as_many_images_as_the_budget_has_surely_room_for(
    stage, clock, budget, first_job
):
    campaign = await stage(clock=clock)
    result = await campaign.run(clock, tier=Tier.BATCH, budget=budget)
    assert sizes_made(campaign)[0] == first_job
    status = await campaign.status()
    used = status["tokens"]
    assert status["cost_usd"] <= (budget.usd or 1.0)
    assert used["input"] + used["output"] + used["thoughts"] <= (budget.tokens or 1e9)
    assert result.code == (75 if budget.tokens == 5_000 else 0), result.err


async def test_a_first_job_keeps_within_a_budget_of_what_a_thinking_model_writes(stage, clock):
    thinks = {
        "name": "gemini-3.5-flash-lite",
        "thought_tokens": {"low": 3_000},
        "thinking": "low",
    }
    campaign = await stage(clock=clock, model=[thinks])
    budget = BudgetLimit(tokens=30_000)
    result = await campaign.run(clock, tier=Tier.BATCH, budget=budget)
    assert result.code == 75
    assert sizes_made(campaign)[0] == 3
    used = (await campaign.status())["tokens"]
    assert used["input"] + used["output"] + used["thoughts"] <= 30_000


async def test_a_file_whose_upload_was_cut_off_does_not_stay(stage, clock):
    fault = {"kind": "upload_dropped", "at": [1]}
    campaign = await stage(clock=clock, batch={"fault": [fault]})
    result = await campaign.run(clock, tier=Tier.BATCH)
    assert result.code == 0, result.err
    await assert_every_image_once(campaign)


async def test_a_file_is_looked_for_later_where_the_list_of_files_did_not_come(stage, clock):
    faults = [{"kind": "upload_dropped", "at": [1]}, {"kind": "look_failed", "at": [1]}]
    campaign = await stage(clock=clock, batch={"fault": faults})
    result = await campaign.run(clock, tier=Tier.BATCH)
    assert result.code == 0, result.err
    await assert_every_image_once(campaign)
