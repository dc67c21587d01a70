"""The flex tier: half the price, served when there is room, and never a standard price unasked."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import pytest

from curator.campaign.failures.shedding import NoRoom, Shedding
from shared.endpoints.models.budget_limit import BudgetLimit
from shared.endpoints.models.tier import Tier
from shared.endpoints.pool.exhaustion import OnExhausted
from tests.curator.campaigns import PICTURES
from tests.fakes.jumping_clock import JumpingClock

LITE, FLASH = "gemini-3.5-flash-lite", "gemini-3.6-flash"
FLEX = {"tier": Tier.FLEX}


def counted(campaign, what: str) -> list[tuple]:
    with closing(sqlite3.connect(campaign.ledger)) as database:
        return database.execute(f"SELECT {what} ORDER BY 1").fetchall()


async def test_a_flex_campaign_asks_at_flex_and_pays_half(stage):
    campaign = await stage()
    result = await campaign.run(**FLEX)
    assert result.code == 0, result.err
    assert campaign.server.stats()["tiers"] == {"flex": {"answered": PICTURES}}
    told = await campaign.status()
    (each,) = told["spending"]
    assert each["tier"] == "flex"
    tokens = told["tokens"]
    paid = (tokens["input"] * 0.30 + (tokens["output"] + tokens["thoughts"]) * 2.50) / 1e6
    assert told["cost_usd"] == pytest.approx(paid / 2)
    assert f"{LITE} (flex):" in (await campaign.command("status")).out


@pytest.mark.parametrize("status", [429, 503])
async def test_what_is_shed_is_asked_again_and_is_nobodys_failure(stage, status):
    campaign = await stage(flex={"shed": 0.5, "shed_status": status}, seed=5)
    result = await campaign.run(JumpingClock(), **FLEX)
    assert result.code == 0, result.err
    told = await campaign.status()
    shed = told["attempts"]["shed"]
    assert shed >= 3
    assert told["attempts"] == {"answered": PICTURES, "shed": shed}
    assert told["cooling_down"] == []
    assert {key["state"] for key in told["keys"]} == {"ready"}
    # No image is any nearer to being given up, and the service was never thought to be down.
    assert counted(campaign, "DISTINCT attempts FROM work") == [(0,)]
    assert "unavailable" not in result.err
    assert "cooling_down" not in result.err


async def test_a_tier_without_any_room_ends_the_run_for_now_and_says_so_before(stage):
    campaign = await stage(flex={"shed": 1.0})
    result = await campaign.run(JumpingClock(), concurrency=4, **FLEX)
    assert result.code == 75
    assert "--tier flex has had no room for 3" in result.err
    assert result.err.count("tier_has_no_room") == 1
    progress = (await campaign.status())["progress"]
    assert (progress["pending"], progress["dead"]) == (PICTURES, 0)
    assert (await campaign.run()).code == 0


async def test_what_is_served_as_standard_is_paid_and_told_so(stage):
    campaign = await stage(flex={"downgraded": 1.0})
    result = await campaign.run(**FLEX)
    assert result.code == 0
    assert result.err.count("another_tier_answers") == 1
    told = await campaign.status()
    assert [each["tier"] for each in told["spending"]] == ["standard"]
    tokens = told["tokens"]
    paid = (tokens["input"] * 0.30 + (tokens["output"] + tokens["thoughts"]) * 2.50) / 1e6
    assert told["cost_usd"] == pytest.approx(paid)


async def test_a_budget_holds_although_all_is_served_as_standard(stage):
    campaign = await stage(flex={"downgraded": 1.0})
    assert (await campaign.run(limit=2, **FLEX)).code == 0
    spent = (await campaign.status())["cost_usd"]
    budget = BudgetLimit(usd=spent * 3.2)
    assert (await campaign.run(budget=budget, concurrency=8, **FLEX)).code == 75
    assert (await campaign.status())["cost_usd"] <= budget.usd


async def test_a_model_that_refuses_the_tier_ends_the_run_and_costs_nothing(stage):
    campaign = await stage(model=[{"name": LITE, "tiers": ["standard"]}])
    result = await campaign.run(**FLEX)
    assert result.code == 2
    last = result.err.splitlines()[-1]
    assert f"{LITE} is not served at --tier flex" in last
    assert "--tier standard" in last
    # One for each key at most that was being tried at the same time.
    assert campaign.requests <= 2
    assert campaign.pairs() == []
    progress = (await campaign.status())["progress"]
    assert (progress["pending"], progress["dead"]) == (PICTURES, 0)


async def test_models_that_take_the_tier_go_on_without_one_that_does_not(stage):
    campaign = await stage(model=[{"name": LITE, "tiers": ["standard"]}, {"name": FLASH}])
    result = await campaign.run(models=[LITE, FLASH], **FLEX)
    assert result.code == 0, result.err
    assert result.err.count("model_lacks_tier") == 1
    told = await campaign.status()
    assert told["pairs_by_model"].keys() == {FLASH}
    (refused,) = {use["refused_because"] for use in told["quotas"] if use["model"] == LITE}
    assert "not served at --tier flex" in refused
    # Another tier is not what it was refused at.
    assert (await campaign.run(models=[LITE])).code == 0


def test_each_request_waits_longer_by_itself_and_room_ends_that():
    shedding, rng = Shedding(Tier.FLEX), random.Random(1)
    waits = [shedding.shed("a", None, 0.0, rng) for _ in range(6)]
    assert all(0.5 * 2**n <= wait <= 2**n for n, wait in enumerate(waits))
    assert shedding.shed("b", None, 0.0, rng) <= 1.0
    assert shedding.shed("c", 20.0, 0.0, rng) == 20.0
    shedding.had_room("a")
    assert shedding.shed("a", None, 0.0, rng) <= 1.0


def test_only_a_tier_without_room_for_long_ends_a_run_and_one_that_waits_never():
    shedding, rng = Shedding(Tier.FLEX, 1800.0), random.Random(1)
    for at in range(0, 1701, 100):
        shedding.shed(at, None, float(at), rng)
    shedding.had_room(0)
    for at in range(1800, 3501, 100):
        shedding.shed(at, None, float(at), rng)
    with pytest.raises(NoRoom, match="no room for 30 min"):
        shedding.shed(0, None, 3600.0, rng)


@pytest.mark.parametrize("annotator", ["gemini", "openai"])
async def test_what_cannot_be_had_is_said_before_the_first_request(stage, annotator, tmp_path):
    campaign = await stage()
    models = tmp_path / "models.toml"
    models.write_text("[[model]]\nname = 'slow'\ntiers = ['standard']\n")
    paths = ["--catalog", str(campaign.catalog), "--keys", str(campaign.folder / "keys.txt")]
    asked = ["--service", annotator, "--model", "slow", "--models", str(models)]
    result = await campaign.command(
        "run", *paths, "--endpoint", campaign.url, *asked, "--tier", "flex"
    )
    assert result.code == 2
    assert result.err.splitlines()[-1] == "curator: --tier flex: slow takes standard"
    assert not campaign.ledger.exists()


async def test_whoever_waits_for_keys_waits_for_room(stage):
    campaign = await stage(flex={"shed": 0.9, "shed_status": 429}, seed=2)
    result = await campaign.run(JumpingClock(), on_exhausted=OnExhausted.WAIT, **FLEX)
    assert result.code == 0, result.err
