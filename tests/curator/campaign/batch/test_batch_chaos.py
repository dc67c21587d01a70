"""Everything goes wrong at once, and runs are broken off anywhere: still every image once."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from shared.endpoints.models.tier import Tier
from tests.chaos.campaigns.scene import OF_JOBS, OF_REQUESTS_OF_JOBS
from tests.chaos.campaigns.within import broken_off
from tests.curator.campaign.batch.test_batch_runs import count, pairs_of, right_pairs
from tests.curator.campaigns import PICTURES
from tests.fakes.jumping_clock import JumpingClock

SEEDS = range(6)


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_goes_wrong_every_image_is_answered_once(stage, seed):
    die, clock = random.Random(seed), JumpingClock(time.time())
    faults = [{"kind": kind, "rate": 0.04} for kind in OF_JOBS]
    faults += [{"kind": kind, "rate": 0.06} for kind in OF_REQUESTS_OF_JOBS]
    campaign = await stage(clock=clock, seed=seed, batch={"fault": faults, "running_s": 600})
    for _ in range(4):
        tier = die.choice([Tier.BATCH, Tier.BATCH, Tier.STANDARD])
        await broken_off(campaign, clock, asyncio.sleep(die.uniform(0.05, 0.6)), tier=tier)
    for _ in range(20):
        result = await campaign.run(clock, tier=Tier.BATCH, retry_dead=True)
        assert result.code in {0, 1, 75}, result.err
        # A run that gives up an image after many tries, and did more than that, ends with 0 too.
        status = await campaign.status()
        if status["progress"]["done"] == PICTURES:
            break
    assert status["progress"]["done"] == PICTURES, result.err
    answered = count(
        campaign.ledger,
        "SELECT item_id, count(*) FROM attempts WHERE outcome = 'answered' GROUP BY 1",
    )
    assert answered == [(item, 1) for item in range(1, PICTURES + 1)]
    assert count(campaign.ledger, "SELECT count(*) FROM batch_requests") == [(0,)]
    assert pairs_of(campaign.ledger) == await right_pairs(campaign)
    # What was held by no job any more is not open either, but for plain requests cut short.
    left_open = "SELECT count(*) FROM attempts WHERE outcome = 'open' AND tier = 'batch'"
    assert count(campaign.ledger, left_open) == [(0,)]
