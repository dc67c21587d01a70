"""A campaign's end, by what its keys still allow."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from curator.forecast.forecast import (
    Forecast,
    forecast,
    kept_up_to_date,
    opinions_left,
    tries_an_item,
)
from curator.forecast.simulation import Load, simulate
from curator.ledger import (
    Attempt,
    Campaign,
    CampaignReport,
    CanaryChange,
    ItemChange,
    KeyRemoval,
    Ledger,
    Memory,
    OpinionCounts,
    Outcome,
    Progress,
    ProjectNews,
    RecentLoad,
    Result,
    TokenUse,
    WorkState,
    migrate,
)
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import Quota, Window
from shared.endpoints.keys.quota_day import next_day, quota_date
from shared.endpoints.pool.records import Meter, ProjectRecord, ProjectUse
from shared.program.durations import DAY_S
from shared.records import ImageRef, Listing
from tests.fakes.clock import NOON_IN_LOS_ANGELES, FakeClock

NOW = NOON_IN_LOS_ANGELES


@pytest.fixture
async def ledger(tmp_path):
    migrate(tmp_path / "l.db")
    async with Ledger.opened(tmp_path / "l.db") as ledger:
        yield ledger


async def enrol(ledger: Ledger, count: int, *keys: Key) -> None:
    listings = (Listing(f"L{n}", ImageRef(f"i{n}", f"{n}.jpg"), {}) for n in range(count))
    await ledger.add_catalog("c", None, "images", listings, NOW)
    await ledger.enrol(Campaign((AskedModel("m"),), "v", 10), NOW)
    await ledger.remember_keys(keys, NOW)


async def answer(ledger: Ledger, item_id: int, key: Key, outcome=Outcome.ANSWERED) -> None:
    """One request of 4 seconds and 500 tokens; a success settles its item."""
    number = ledger.new_attempt_id()
    one = Attempt(number, 1, item_id, key.fingerprint, key.project, "m", NOW - 100, 900)
    await ledger.begin(one)
    done = ItemChange(1, item_id, WorkState.DONE, 0) if outcome is Outcome.ANSWERED else None
    tokens = TokenUse(500, 100, 0)
    await ledger.finish(Result(number, NOW - 96, outcome, tokens=tokens, change=done))


async def ask_again(ledger: Ledger, day: str) -> None:
    """Have ten canaries, with today's answers."""
    for item_id in range(1, 11):
        number = ledger.new_attempt_id()
        again = Attempt(number, 1, item_id, "fp", "p0", "m", NOW - 50, 900, "q?", canary_day=day)
        await ledger.begin(again)
        change = CanaryChange(1, item_id, "m", day, "q?", WorkState.DONE, 0, answer="red")
        done = Result(number, NOW - 46, Outcome.ANSWERED, tokens=TokenUse(500, 1, 0), change=change)
        await ledger.finish(done)


async def test_canaries_are_reckoned_with_day_by_day(ledger):
    laptop = Key("laptop", "p0", "secret-1", Quota(rpd=50))
    await enrol(ledger, 90, laptop)
    (report,) = await ledger.reports(NOW)
    plain = (await forecast_of(ledger, report)).ends_at
    watched = replace(report, campaign=replace(report.campaign, canaries=10))
    # 50 and 40 a day, or 40, 40 and 10.
    later = (await forecast_of(ledger, watched)).ends_at
    assert DAY_S * 0.9 < later - plain < DAY_S * 1.1
    await ask_again(ledger, quota_date(NOW))
    (report,) = await ledger.reports(NOW)
    assert tries_an_item(report) == 1.0
    # Today's were asked: what they took of the quota is gone, and they are not asked again.
    asked = replace(report, campaign=replace(report.campaign, canaries=10))
    assert (await forecast_of(ledger, asked)).ends_at == pytest.approx(later, abs=120)
    too_many = replace(report, campaign=replace(report.campaign, canaries=50))
    assert "give fewer with --canary" in (await forecast_of(ledger, too_many)).reason


async def forecast_of(ledger: Ledger, report: CampaignReport, **more) -> Forecast:
    memory = await ledger.memory(report, NOW)
    return await asyncio.to_thread(forecast, report, memory, NOW, **more)


async def told(ledger: Ledger, **more) -> float | None:
    (report,) = await ledger.reports(NOW)
    return (await forecast_of(ledger, report, **more)).ends_at


async def test_the_day_quota_decides_not_the_rate_of_late(ledger):
    key = Key("a", "p", "secret-a", Quota(rpd=10))
    await enrol(ledger, 30, key)
    for item_id in range(1, 9):
        await answer(ledger, item_id, key)
    # 22 are left: two today, ten tomorrow, ten the day after.
    assert await told(ledger) == pytest.approx(next_day(NOW) + DAY_S + 4.0, abs=4.0)


async def test_latency_and_concurrency_decide_where_there_is_quota(ledger):
    key = Key("a", "p", "secret-a")
    await enrol(ledger, 21, key)
    await answer(ledger, 1, key)
    assert await told(ledger, concurrency=2) == NOW + 40.0
    assert await told(ledger, concurrency=2, remaining=10) == NOW + 20.0
    # What the run itself holds back counts as well.
    assert await told(ledger, concurrency=2, requests_per_minute=15) == NOW + 80.0
    assert await told(ledger, concurrency=2, requests_per_minute=600) == NOW + 40.0


async def test_requests_that_brought_nothing_are_expected_again(ledger):
    key = Key("a", "p", "secret-a")
    await enrol(ledger, 11, key)
    await answer(ledger, 1, key, Outcome.UNUSABLE)
    await answer(ledger, 1, key)
    assert await told(ledger, concurrency=1) == NOW + 80.0


async def test_second_opinions_take_their_time(ledger):
    one = Key("a", "p", "secret-of-a", Quota(rpm=10))
    await enrol(ledger, 100, one)
    (report,) = await ledger.reports(NOW)
    alone = await told(ledger)
    # A tenth of ten pairs an image: as many requests again.
    both = await told(ledger, verify=0.1)
    assert both - NOW == pytest.approx(2 * (alone - NOW), rel=0.05)
    settled = replace(
        report,
        progress=Progress(pending=0, done=100, dead=0),
        pairs_by_model={"m": 1_000},
        opinions=OpinionCounts(waiting=50, agrees=40, disagrees=9, given_up=1),
    )
    assert opinions_left(settled, 0, None) == 50
    assert opinions_left(settled, 0, 0.2) == 150
    assert opinions_left(settled, 0, 0.0) == 0
    assert (await forecast_of(ledger, settled)).ends_at > NOW + 200


async def test_a_cool_down_counts(ledger):
    key = Key("a", "p", "secret-a")
    await enrol(ledger, 2, key)
    await answer(ledger, 1, key)
    closed = ProjectRecord("p", "m", NOW + 600, Window.MINUTE)
    await ledger.remember(ProjectNews(closed, NOW))
    assert await told(ledger) == NOW + 604.0


async def test_a_removed_key_counts_no_more_and_without_keys_there_is_no_end(ledger):
    keys = [Key("a", "p", "secret-a", Quota(rpd=1)), Key("b", "q", "secret-b", Quota(rpd=100))]
    await enrol(ledger, 5, *keys)
    assert await told(ledger) < next_day(NOW)
    await ledger.remember(KeyRemoval(keys[1].fingerprint, "API_KEY_INVALID", NOW))
    assert await told(ledger) > NOW + 3 * DAY_S
    await ledger.remember(KeyRemoval(keys[0].fingerprint, "API_KEY_INVALID", NOW))
    (report,) = await ledger.reports(NOW)
    ended = await forecast_of(ledger, report)
    assert ended.ends_at is None
    assert ended.reason == "no key is left that can serve (API_KEY_INVALID)"


@pytest.mark.parametrize(
    ("quota", "end"),
    [
        (Quota(rpm=60), NOW + 80_000),
        (Quota(rpm=600, rpd=30_000), next_day(NOW) + DAY_S + 2_000),
    ],
)
async def test_what_is_beyond_the_simulated_part_goes_on_at_its_rate(ledger, quota, end):
    key = Key("a", "p", "secret-a", quota)
    await enrol(ledger, 1, key)
    ends_at = await told(ledger, remaining=80_000, concurrency=64)
    assert ends_at - NOW == pytest.approx(end - NOW, rel=0.05)


@pytest.mark.parametrize("remaining", [2_990, 2_999, 4_000, 8_999, 9_000, 398_212])
@pytest.mark.parametrize("at", [NOW, next_day(NOW) - 900])
async def test_a_campaign_of_months_ends_where_going_through_each_day_would(ledger, remaining, at):
    keys = [Key(f"k{n}", f"p{n}", f"secret-{n}", Quota(rpm=10, rpd=250)) for n in range(12)]
    await enrol(ledger, 1, *keys)
    (report,) = await ledger.reports(at)
    memory = Memory(RecentLoad(5.0, {"m": 700.0}), {Meter("p0", "m"): ProjectUse((), 250)}, {})
    told = await asyncio.to_thread(forecast, report, memory, at, remaining=remaining)
    load = Load(remaining, {"m": 700}, 5.0, 16)
    course = await simulate(keys, [AskedModel("m")], load, at, use=memory.use)
    assert told.ends_at == pytest.approx(course.ends_at, abs=300)


async def test_it_is_looked_at_ever_more_rarely():
    clock, times, changed = FakeClock(0.0), [], asyncio.Event()

    async def update() -> float | None:
        times.append(clock.now())
        if len(times) == 10:
            raise EOFError
        return 50.0 if len(times) == 9 else None

    task = asyncio.create_task(kept_up_to_date(update, changed, clock))
    while not task.done():
        wait = asyncio.create_task(clock.until_asleep())
        await asyncio.wait([wait, task], return_when=asyncio.FIRST_COMPLETED)
        if wait.done():
            clock.advance(wait.result())
            await asyncio.sleep(0)
        wait.cancel()
    assert isinstance(task.exception(), EOFError)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert gaps[:3] == pytest.approx([2, 4, 8], abs=1)
    assert gaps[-2] == pytest.approx(60, abs=1)
    # The end is near, so it is looked at again soon.
    assert gaps[-1] == pytest.approx(5, abs=1)


async def test_a_key_that_changes_makes_it_be_looked_at_anew():
    clock, times, changed = FakeClock(0.0), [], asyncio.Event()

    async def update() -> None:
        times.append(clock.now())

    async def pass_time() -> None:
        clock.advance(await clock.until_asleep())
        for _ in range(20):
            await asyncio.sleep(0)

    task = asyncio.create_task(kept_up_to_date(update, changed, clock))
    while len(times) < 6:
        await pass_time()
    await pass_time()
    assert len(times) == 6
    assert await clock.until_asleep() > 20
    changed.set()
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(times) == 7
    task.cancel()
    await asyncio.wait([task])
