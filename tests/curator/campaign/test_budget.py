"""A campaign ends in good order before it passes its budget, whichever run of it spends it."""

from __future__ import annotations

import asyncio
import re
import signal
import sqlite3
from contextlib import closing

import pytest

from shared.endpoints.models.asked_settings import AskedSettings
from shared.endpoints.models.budget_limit import BudgetLimit
from tests.curator.campaigns import PICTURES, ended, until_requests

MODEL = "gemini-3.5-flash-lite"
THINKER = {
    "name": MODEL,
    "image_tokens": {"low": 280, "medium": 560, "high": 1120},
    "thought_tokens": {"low": 800},
    "thinking": "low",
    "cached_tokens": 200,
}


async def spent(campaign) -> tuple[int, float]:
    status = await campaign.status()
    tokens = status["tokens"]
    return tokens["input"] + tokens["output"] + tokens["thoughts"], status["cost_usd"]


async def cost_of_all(campaign) -> tuple[int, float]:
    """What the whole campaign takes, tried beside it."""
    beside = campaign.ledger.with_name("beside.db")
    assert (await campaign.run(ledger=beside)).code == 0
    with closing(sqlite3.connect(beside)) as database:
        taken, given, cached = database.execute(
            "SELECT sum(input_tokens), sum(output_tokens + thought_tokens), sum(cached_tokens) "
            "FROM attempts"
        ).fetchone()
    usd = ((taken - cached) * 0.30 + cached * 0.03 + given * 2.50) / 1e6
    return taken + given, usd


@pytest.mark.parametrize("kind", ["tokens", "usd"])
@pytest.mark.parametrize("concurrency", [1, 8])
async def test_a_run_ends_before_its_budget_is_passed_and_uses_most_of_it(stage, kind, concurrency):
    campaign = await stage(model=[THINKER], latency={"mean_ms": 5})
    all_tokens, all_usd = await cost_of_all(campaign)
    half = BudgetLimit(**{kind: {"tokens": all_tokens // 2, "usd": all_usd / 2}[kind]})
    before = campaign.requests
    result = await campaign.run(budget=half, concurrency=concurrency)
    assert result.code == 75
    line = result.err.splitlines()[-1]
    assert re.search(rf"budget: .* spent, .*; give a larger --budget-{kind} to go on", line)
    tokens, usd = await spent(campaign)
    share = {"tokens": tokens / all_tokens, "usd": usd / all_usd}[kind]
    assert 0.5 - 2 / PICTURES < share <= 0.5
    status = await campaign.status()
    assert status["attempts"] == {"answered": campaign.requests - before}
    assert status["progress"]["dead"] == 0
    # The same command asks nothing more, and a larger budget goes on where it ended.
    asked = campaign.requests
    assert (await campaign.run(budget=half)).code == 75
    assert campaign.requests == asked
    larger = BudgetLimit(tokens=2 * all_tokens, usd=2 * all_usd)
    assert (await campaign.run(budget=larger)).code == 0
    assert campaign.requests - before == PICTURES
    assert (await spent(campaign))[0] == all_tokens


async def test_what_was_lost_in_a_crash_counts_as_spent(stage):
    campaign = await stage(model=[THINKER], latency={"mean_ms": 400})
    process = await campaign.start("--budget-tokens", "9000")
    # One reply tells what requests take, and then two are under way.
    await until_requests(campaign, 3)
    process.send_signal(signal.SIGKILL)
    await ended(process)
    counted, _ = await spent(campaign)
    lost = (await campaign.status())["attempts"]["open"]
    assert lost >= 1
    result = await campaign.run(budget=BudgetLimit(tokens=counted + lost * 2_200))
    assert result.code == 75
    assert campaign.requests == 3


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["cut_body", "dropped", "slow"])
async def test_a_request_without_an_answer_counts_for_it_may_have_been_billed(stage, fault):
    campaign = await stage(
        model=[THINKER], fault=[{"kind": fault, "at": [3, 4, 5]}], latency={"slow_ms": 60_000}
    )
    assert (await campaign.run(limit=2)).code == 0
    tokens, _ = await spent(campaign)
    budget = BudgetLimit(tokens=tokens + 2 * tokens)
    result = await campaign.run(budget=budget, concurrency=1, timeout_s=0.5)
    assert result.code == 75
    last = result.err.splitlines()[-1]
    assert "without an answer counted in" in last
    status = await campaign.status()
    lost = status["attempts"]["unanswered"]
    assert lost == 3
    # What was lost may have cost as much as what was answered: together they stay below.
    answered = status["attempts"]["answered"]
    assert (answered + lost) * tokens / 2 <= budget.tokens
    # Another run counts it, too.
    asked = campaign.requests
    again = await campaign.run(budget=budget, concurrency=1)
    assert (again.code, campaign.requests) == (75, asked)
    assert "(3 without an answer counted in)" in again.err
    # And at no more than while it was under way, so that no budget is told to have been passed.
    assert again.err.splitlines()[-1] == last


async def test_the_first_request_is_reckoned_with_the_thinking_that_it_may_do(stage):
    campaign = await stage(model=[{"name": "gemini-2.5-flash", "takes_budget": True}])
    more = {"model": "gemini-2.5-flash", "settings": AskedSettings("low"), "concurrency": 4}
    result = await campaign.run(budget=BudgetLimit(tokens=1_200), **more)
    assert (result.code, campaign.requests) == (75, 0)
    budget = BudgetLimit(tokens=6_000)
    assert (await campaign.run(budget=budget, **more)).code == 75
    assert campaign.requests > 1
    assert (await spent(campaign))[0] <= budget.tokens


@pytest.mark.parametrize("limit", [{"tokens": 3_000}, {"usd": 0.004}])
async def test_a_tiny_budget_is_kept_by_the_first_request_however_hard_a_model_thinks(stage, limit):
    campaign = await stage(model=[{**THINKER, "thought_tokens": {"low": 60_000}}])
    budget = BudgetLimit(**limit)
    result = await campaign.run(budget=budget, concurrency=8)
    assert result.code == 75
    assert "spent, and the next request may take" in result.err
    assert campaign.requests == 1
    tokens, usd = await spent(campaign)
    assert 0 < tokens <= (budget.tokens or tokens)
    assert 0 < usd <= (budget.usd or usd)
    progress = (await campaign.status())["progress"]
    assert (progress["pending"], progress["dead"]) == (PICTURES, 0)


async def test_a_budget_that_is_not_tiny_asks_for_no_limit(stage):
    campaign = await stage(model=[{**THINKER, "thought_tokens": {"low": 9_000}}])
    result = await campaign.run(budget=BudgetLimit(tokens=10**6), concurrency=8)
    assert result.code == 0, result.err
    assert (await campaign.status())["replies"]["by_ending"] == {"STOP": PICTURES}


async def test_until_the_first_reply_one_request_is_under_way(stage):
    campaign = await stage(model=[THINKER], latency={"mean_ms": 300})
    running = asyncio.create_task(campaign.run(budget=BudgetLimit(tokens=10**6), concurrency=8))
    await until_requests(campaign, 1)
    await asyncio.sleep(0.15)
    assert campaign.requests == 1
    assert (await running).code == 0


async def test_a_budget_is_told_in_status_and_forecast(stage):
    campaign = await stage(model=[THINKER])
    all_tokens, _ = await cost_of_all(campaign)
    budget = BudgetLimit(tokens=all_tokens // 2, usd=5.0)
    assert (await campaign.run(budget=budget, limit=2)).code == 0
    status = await campaign.status()
    tokens, usd = await spent(campaign)
    assert status["budget"] == {
        "usd": 5.0,
        "tokens": all_tokens // 2,
        "spent_usd": usd,
        "spent_tokens": tokens,
    }
    assert status["ends_by_budget"]
    shown = (await campaign.command("status")).out.replace("\n", " ")
    assert f"{tokens:,} of {all_tokens // 2:,} tokens spent" in re.sub(r" +", " ", shown)
    assert "by budget, until" in re.sub(r" +", " ", shown)
    assert (await campaign.run(budget=BudgetLimit(tokens=1))).code == 75
    assert "none: the budget is spent" in (await campaign.command("status")).out
    assert (await campaign.run()).code == 0
    status = await campaign.status()
    assert (status["budget"], status["ends_by_budget"]) == (None, False)


async def test_a_reply_of_unknown_price_ends_a_run_with_a_budget_in_dollars(stage, tmp_path):
    campaign = await stage(model=[{"name": MODEL, "answers_as": "gemini-9"}])
    result = await campaign.run(budget=BudgetLimit(usd=5.0), concurrency=1)
    # A supervisor that starts it again after 75 would start it for ever.
    assert (result.code, campaign.requests) == (2, 1)
    assert (
        "--budget-usd: gemini-9 answered requests of this campaign, and no price of it is known"
        in result.err
    )
    again = await campaign.run(budget=BudgetLimit(usd=5.0))
    assert (again.code, campaign.requests) == (2, 1)
    assert "--budget-usd: gemini-9 answered" in again.err
    assert (await campaign.run(budget=BudgetLimit(tokens=10**6))).code == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--budget-usd", "0"], "--budget-usd 0: give an amount of more than 0"),
        (["--budget-usd", "-1"], "--budget-usd -1: give an amount"),
        (["--budget-usd", "nan"], "--budget-usd nan: give an amount"),
        (["--budget-usd", "inf"], "--budget-usd inf: give an amount"),
        (["--budget-tokens", "0"], "--budget-tokens 0: give a number of more than 0"),
        (["--budget-tokens", "-5"], "--budget-tokens -5: give a number"),
        (["--budget-usd", "5", "--model", "house"], "--budget-usd: no price of house is known"),
    ],
)
async def test_a_budget_that_makes_no_sense_is_one_line_and_nothing_is_written(
    stage, options, told
):
    campaign = await stage()
    keys = ["--keys", str(campaign.folder / "keys.txt"), "--endpoint", campaign.url]
    result = await campaign.command("run", "--catalog", str(campaign.catalog), *keys, *options)
    assert result.code == 2
    assert told in result.err
    assert len(result.err.splitlines()) == 1
    assert not campaign.ledger.exists()
    assert campaign.requests == 0
