"""The same questions asked again each quota day, over HTTP and in a real ledger."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing
from itertools import groupby

import pytest

from shared.endpoints.keys.quota_day import day_start
from shared.endpoints.models.asked_settings import AskedSettings
from shared.endpoints.models.budget_limit import BudgetLimit
from shared.endpoints.models.tier import Tier
from shared.endpoints.pool.exhaustion import OnExhausted
from shared.program.durations import DAY_S
from tests.curator.campaigns import KEYS, PICTURES, Campaign, ended, until_requests
from tests.fakes.jumping_clock import JumpingClock

MODEL = "gemini-3.5-flash-lite"
OTHER = "gemini-3.5-flash"
NOON = day_start(1_780_000_000.0) + DAY_S / 2


def on_day(number: int) -> JumpingClock:
    return JumpingClock(NOON + number * DAY_S)


def logged(campaign: Campaign, event: str) -> list[dict]:
    lines = (campaign.folder / "campaign.db.log.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["event"] == event]


def asked_again(campaign: Campaign) -> list[tuple]:
    with closing(sqlite3.connect(campaign.ledger)) as database:
        return database.execute(
            "SELECT canary_day, model, item_id, question FROM attempts"
            " WHERE canary_day IS NOT NULL ORDER BY id"
        ).fetchall()


async def test_the_same_images_are_asked_again_each_day_and_once_a_day(stage):
    campaign = await stage()
    result = await campaign.run(on_day(0), canary=4, limit=8)
    assert result.code == 0, result.err
    first = asked_again(campaign)
    assert len(first) == 4
    # Nothing that the day has seen is asked again, whatever starts anew.
    await campaign.run(on_day(0), canary=4, limit=9)
    assert asked_again(campaign) == first
    await campaign.run(on_day(1), canary=4, limit=10)
    await campaign.run(on_day(2), canary=4)
    again = asked_again(campaign)
    assert [day for day, *_ in again] == sorted(day for day, *_ in again)
    by_day = {day: {row[1:] for row in again if row[0] == day} for day, *_ in again}
    assert len(by_day) == 3
    assert set(map(frozenset, by_day.values())) == {frozenset(row[1:] for row in first)}
    assert campaign.requests == PICTURES + 12


async def test_a_campaign_that_is_done_is_still_watched_once_a_day(stage):
    campaign = await stage()
    for day in (0, 0, 1, 1):
        assert (await campaign.run(on_day(day), canary=3)).code == 0
    assert campaign.requests == PICTURES + 6
    assert len(asked_again(campaign)) == 6


async def test_the_canaries_of_a_day_come_before_its_images(stage):
    campaign = await stage()
    await campaign.run(on_day(0), canary=3, limit=5, concurrency=1)
    await campaign.run(on_day(1), canary=3, limit=9, concurrency=4)
    with closing(sqlite3.connect(campaign.ledger)) as database:
        rows = database.execute("SELECT canary_day FROM attempts ORDER BY id").fetchall()
    kinds = ["image" if day is None else "canary" for (day,) in rows]
    # The images that are to be asked about again are the first ones of all.
    counted = [(kind, len(list(group))) for kind, group in groupby(kinds)]
    assert counted == [("image", 3), ("canary", 3), ("image", 2), ("canary", 3), ("image", 4)]


async def test_images_that_come_to_nothing_end_no_run_for_being_canaries(stage):
    # The first requests are about those that are to be chosen.
    faults = [{"kind": "nonsense", "at": list(range(1, 11))}]
    campaign = await stage(fault=faults)
    result = await campaign.run(on_day(0), canary=2, concurrency=1)
    assert result.code == 0, result.err
    progress = (await campaign.status())["progress"]
    assert (progress["done"], progress["pending"]) == (PICTURES - progress["dead"], 0)
    assert len(asked_again(campaign)) == 2


async def test_pairs_stay_as_they_are_whatever_canaries_answer(stage):
    table = {"name": MODEL, "changes_after": PICTURES, "changed_share": 1.0}
    campaign = await stage(model=[table])
    await campaign.run(on_day(0))
    before = sorted(campaign.pairs())
    await campaign.run(on_day(1), canary=5)
    assert len(asked_again(campaign)) == 5
    assert sorted(campaign.pairs()) == before


async def test_a_teacher_that_changes_under_its_name_is_one_warning(stage):
    campaign = await stage(
        model=[{"name": MODEL, "changes_after": PICTURES + 36, "changed_share": 0.8}]
    )
    for day in range(3):
        await campaign.run(on_day(day), canary=12)
    assert logged(campaign, "model_may_have_changed") == []
    told = (await campaign.status())["canaries"]["models"]
    assert [(one["equal"], one["compared"], one["is_alarm"]) for one in told] == [(12, 12, False)]
    for day in (3, 4):
        assert (await campaign.run(on_day(day), canary=12)).code == 0
    [warning] = logged(campaign, "model_may_have_changed")
    assert warning["level"] == "warning"
    assert (warning["model"], warning["compared"]) == (MODEL, 12)
    assert warning["equal"] <= 6
    [one] = (await campaign.status())["canaries"]["models"]
    assert one["is_alarm"]
    assert one["changed_on"] == warning["day"] < one["day"]
    shown = " ".join((await campaign.command("status")).out.split())
    assert f"it may have changed under its name on {warning['day']}" in shown
    folder = campaign.folder / "dataset"
    assert (await campaign.command("export", "--out", str(folder))).code == 0
    source = json.loads((folder / "manifest.json").read_text())["source"]
    assert source["canaries"] == (await campaign.status())["canaries"]


@pytest.mark.parametrize("seed", range(6))
async def test_a_teacher_that_is_merely_unsteady_raises_no_alarm(stage, seed):
    campaign = await stage(model=[{"name": MODEL, "unsteady_share": 0.15}], seed=seed)
    for day in range(6):
        await campaign.run(on_day(day), canary=12)
    [one] = (await campaign.status())["canaries"]["models"]
    assert not one["is_alarm"]
    assert one["usual_compared"] == 48
    assert one["usual_share"] < 1.0
    assert logged(campaign, "model_may_have_changed") == []


async def test_each_model_in_use_is_compared_with_itself(stage):
    limits = [{"name": f"p{number}", "rpd": 7} for number in range(1)]
    keys = [{"api_key": KEYS[0], "label": "key-1", "project": "p0"}]
    campaign = await stage(
        KEYS[0], project=limits, key=keys, accept_unlisted_keys=False,
        models=[MODEL, OTHER],
    )  # fmt: skip
    result = await campaign.run(on_day(0), canary=2, models=[MODEL, OTHER])
    assert result.code == 75, result.err
    by_model = {model: 0 for _, model, *_ in asked_again(campaign)}
    for _, model, *_ in asked_again(campaign):
        by_model[model] += 1
    assert by_model == {MODEL: 2, OTHER: 2}
    assert (await campaign.status())["progress"]["done"] == 10


async def test_a_model_that_is_asked_to_think_otherwise_is_compared_with_itself_so_asked(stage):
    campaign = await stage()
    low, high = AskedSettings(thinking="low"), AskedSettings(thinking="high", image_detail="low")
    for day, settings in enumerate((low, low, high, high)):
        await campaign.run(on_day(day), canary=3, settings=settings)
    told = (await campaign.status())["canaries"]["days"]
    assert [(day["model"], day["compared"]) for day in told] == [
        (f"{MODEL}, thinking high, detail low", 0), (f"{MODEL}, thinking high, detail low", 3),
        (f"{MODEL}, thinking low", 0), (f"{MODEL}, thinking low", 3),
    ]  # fmt: skip


async def test_no_quota_for_canaries_leaves_them_and_the_exit_code(stage):
    limits = [{"name": "p0", "rpd": PICTURES + 2}]
    keys = [{"api_key": KEYS[0], "label": "key-1", "project": "p0"}]
    campaign = await stage(KEYS[0], project=limits, key=keys, accept_unlisted_keys=False)
    assert (await campaign.run(on_day(0), limit=PICTURES)).code == 0
    result = await campaign.run(on_day(0), canary=5)
    assert result.code == 0, result.err
    [left] = logged(campaign, "canaries_left_for_today")
    assert left["model"] == MODEL
    told = (await campaign.status())["canaries"]["days"]
    assert [day["answered"] for day in told] == [2]


async def test_canaries_are_paid_out_of_the_budget(stage):
    campaign = await stage()
    await campaign.run(on_day(0))
    spent = (await campaign.status())["tokens"]
    limit = BudgetLimit(tokens=spent["input"] + spent["output"] + 1)
    result = await campaign.run(on_day(1), canary=5, budget=limit)
    assert result.code == 0, result.err
    assert asked_again(campaign) == []
    assert len(logged(campaign, "canaries_left_for_today")) == 1


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_a_run_that_waits_for_quota_asks_them_first_on_each_new_day(stage, concurrency):
    campaign = await stage()
    keys = campaign.folder / "keys.toml"
    keys.write_text(f'[[key]]\nlabel = "one"\napi_key = "{KEYS[0]}"\nrpd = 6\n')
    result = await campaign.run(
        on_day(0), canary=2, keys=keys, on_exhausted=OnExhausted.WAIT, concurrency=concurrency
    )
    assert result.code == 0, result.err
    with closing(sqlite3.connect(campaign.ledger)) as database:
        rows = database.execute("SELECT canary_day FROM attempts ORDER BY id").fetchall()
    order = "".join("i" if canary_day is None else "c" for (canary_day,) in rows)
    # Six requests a day, two of them canaries; four at a time may be of several days, since waiting
    # takes this clock no time, and may use up a day before the canaries have their turn.
    assert order == "iicciicciiiicciiii" or concurrency > 1
    assert order.count("i") == PICTURES
    again = asked_again(campaign)
    assert len({(day, item) for day, _, item, _ in again}) == len(again)


@pytest.mark.slow
async def test_a_signal_amid_them_loses_none(stage):
    campaign = await stage(latency={"mean_ms": 200})
    await campaign.run(on_day(0))
    process = await campaign.start("--canary", "9", "--concurrency", "1")
    await until_requests(campaign, PICTURES + 3)
    process.send_signal(signal.SIGTERM)
    assert (await ended(process)).code == 75
    first = len(asked_again(campaign))
    assert 3 <= first < 9
    assert (await ended(await campaign.start("--canary", "9"))).code == 0
    again = asked_again(campaign)
    assert len({(day, item) for day, _, item, _ in again}) == len(again) == 9


async def test_a_campaign_of_batch_jobs_asks_them_at_once_and_at_the_standard_tier(stage, clock):
    campaign = await stage(clock=clock)
    result = await campaign.run(clock, canary=3, tier=Tier.BATCH)
    assert result.code == 0, result.err
    assert len(asked_again(campaign)) == 3
    with closing(sqlite3.connect(campaign.ledger)) as database:
        tiers = database.execute(
            "SELECT DISTINCT canary_day IS NULL, tier FROM attempts ORDER BY 1"
        ).fetchall()
    assert tiers == [(0, "standard"), (1, "batch")]


@pytest.mark.parametrize(
    ("canary", "earliest"), [(0, None), (3, "never"), (5, "day 5"), (10, None)]
)
async def test_canaries_that_are_too_few_are_told_before_they_are_asked(stage, canary, earliest):
    campaign = await stage()
    assert (await campaign.run(on_day(0), canary=canary)).code == 0
    told = [entry["first_alarm"] for entry in logged(campaign, "few_canaries")]
    assert [words.partition(" of")[0] for words in told] == ([earliest] if earliest else [])
