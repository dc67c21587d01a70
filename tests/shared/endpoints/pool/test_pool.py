from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import datetime

import pytest
from structlog.testing import capture_logs

from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import LearnedLimit, Quota, Window
from shared.endpoints.keys.quota_day import CLOCK_S, PACIFIC, day_over, next_day
from shared.endpoints.pool.exhaustion import KeysExhausted, NoProjectMayUse, OnExhausted
from shared.endpoints.pool.pool import KeyPool
from shared.endpoints.pool.project import PROBE_AFTER_S
from shared.endpoints.pool.records import Meter, ProjectRecord, ProjectUse
from shared.endpoints.pool.usage import ARRIVAL_S
from shared.endpoints.refusals.refusal import InvalidKey, NoQuota, ProjectRefused, RateLimited
from shared.program.async_stopping import AsyncStopSignal, StopRequested
from shared.program.durations import DAY_S, MINUTE_S, local_time
from tests.fakes.clock import FakeClock

MODEL = "m"


def key(label: str, project: str = "", **limits: int) -> Key:
    return Key(label, project or f"p-{label}", f"secret-of-{label}", Quota(**limits))


@pytest.fixture
def make_pool(clock):
    def make(
        *keys: Key,
        models=(MODEL,),
        on_exhausted=OnExhausted.STOP,
        use=None,
        records=None,
        stop=None,
        untried=(),
        clock=clock,
    ):
        return KeyPool(
            keys,
            [AskedModel(model) for model in models],
            clock=clock,
            stop=stop or AsyncStopSignal(),
            on_exhausted=on_exhausted,
            rng=random.Random(0),
            use=use or {},
            records=records or {},
            untried=untried,
        )

    return make


def limited(window=Window.MINUTE, retry_after_s=None, **limits: int) -> RateLimited:
    return RateLimited("429", window=window, retry_after_s=retry_after_s, limits=Quota(**limits))


async def labels(pool: KeyPool, count: int) -> list[str]:
    return [(await pool.lease({MODEL: 1})).key.label for _ in range(count)]


async def test_keys_take_turns(make_pool):
    pool = make_pool(key("a"), key("b"), key("c"))
    assert await labels(pool, 7) == ["a", "b", "c", "a", "b", "c", "a"]


async def test_a_key_over_quota_is_passed_over_and_comes_back(make_pool, clock):
    pool = make_pool(key("a", rpm=1), key("b"))
    assert await labels(pool, 4) == ["a", "b", "b", "b"]
    clock.time += MINUTE_S + ARRIVAL_S
    assert "a" in await labels(pool, 2)


async def test_keys_of_one_project_share_its_quota(make_pool, clock):
    pool = make_pool(key("a", "p", rpm=2), key("b", "p", rpm=2))
    started = clock.now()
    assert await labels(pool, 3) == ["a", "b", "a"]
    assert clock.now() == started + MINUTE_S + ARRIVAL_S


async def test_keys_of_a_project_take_turns_where_its_pace_lets_one_request_through(make_pool):
    keys = [key(one, one[0], rpm=5) for one in ("a1", "a2", "a3", "b1")]
    served = Counter(await labels(make_pool(*keys), 60))
    assert served == {"a1": 10, "a2": 10, "a3": 10, "b1": 30}


async def test_unspent_tokens_let_the_next_request_go(make_pool, clock):
    pool = make_pool(key("a", tpm=100))
    started = clock.now()
    lease = await pool.lease({MODEL: 90})
    pool.settle(lease, 10)
    await pool.lease({MODEL: 90})
    assert clock.now() < started + 60


async def test_a_removed_key_says_so_once_and_never_serves_again(make_pool):
    bad, good = key("bad"), key("good")
    pool = make_pool(bad, good)
    with capture_logs() as events:
        assert pool.remove(bad, InvalidKey("API_KEY_INVALID"))
        assert not pool.remove(bad, InvalidKey("API_KEY_INVALID"))
    assert [(event["log_level"], event["event"]) for event in events] == [
        ("warning", "Key bad failed (API_KEY_INVALID); removing from pool.")
    ]
    assert await labels(pool, 3) == ["good"] * 3


async def test_the_turn_is_kept_when_a_key_before_it_leaves(make_pool):
    a, b, c = key("a"), key("b"), key("c")
    pool = make_pool(a, b, c)
    assert await labels(pool, 2) == ["a", "b"]
    pool.remove(a, InvalidKey("gone"))
    assert await labels(pool, 3) == ["c", "b", "c"]


async def test_without_a_key_left_the_pool_is_exhausted_for_good(make_pool):
    only = key("a")
    pool = make_pool(only, on_exhausted=OnExhausted.WAIT)
    pool.remove(only, InvalidKey("gone"))
    with pytest.raises(KeysExhausted, match="All API keys exhausted") as caught:
        await pool.lease({MODEL: 1})
    assert caught.value.opens_at is None
    assert caught.value.exit_code == 75


async def test_a_minute_429_waits_the_time_it_names(make_pool, clock):
    pool = make_pool(key("a"))
    started = clock.now()
    pool.cool_down(await pool.lease({MODEL: 1}), limited(retry_after_s=22.0))
    await pool.lease({MODEL: 1})
    assert clock.now() == pytest.approx(started + 22.0)


async def test_a_429_without_detail_waits_longer_each_time(make_pool, clock):
    pool = make_pool(key("a"))
    waits = []
    for _ in range(4):
        lease = await pool.lease({MODEL: 1})
        started = clock.now()
        pool.cool_down(lease, limited())
        await pool.lease({MODEL: 1})
        waits.append(clock.now() - started)
        clock.time += 1
    assert waits == sorted(waits)
    assert waits[-1] > 4 * waits[0]


async def test_a_wait_for_the_next_day_is_told_once_with_the_careful_try_before_it(make_pool):
    clock = FakeClock()
    pool = make_pool(key("a"), on_exhausted=OnExhausted.WAIT, clock=clock)
    leases = [await pool.lease({MODEL: 1}) for _ in range(3)]
    pool.cool_down(leases[0], limited(window=Window.DAY))
    until, tried_at = day_over(clock.now()), clock.now() + PROBE_AFTER_S
    with capture_logs() as events:
        waiting = asyncio.create_task(pool.lease({MODEL: 1}))
        for lease in leases[1:]:
            # Each answer that comes late wakes whoever waits.
            await clock.until_asleep()
            pool.unanswered(lease)
            await asyncio.sleep(0.01)
        clock.advance(PROBE_AFTER_S)
        await waiting
    told = [event for event in events if event["event"] == "All API keys exhausted"]
    assert [(event["waiting_until"], event["tried_at"]) for event in told] == [
        (local_time(until), local_time(tried_at))
    ]


async def test_who_waits_for_a_first_answer_does_not_sleep_until_the_next_day(make_pool, clock):
    only, started = key("a", rpd=3), clock.now()
    spent = {Meter("p-a", "spent"): ProjectUse(today=3)}
    pool = make_pool(only, models=("spent", "tried"), use=spent, untried=[only])
    tokens = {"spent": 1, "tried": 1}
    trial = await pool.lease(tokens)
    waiting = asyncio.create_task(pool.lease(tokens))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    pool.settle(trial, 1)
    assert (await waiting).model == "tried"
    assert clock.now() == started


async def test_no_server_closes_a_minute_for_longer_than_a_day(make_pool, clock):
    pool = make_pool(key("a"))
    record = pool.cool_down(await pool.lease({MODEL: 1}), limited(retry_after_s=999_999_999_999.0))
    assert record.blocked_until == clock.now() + 86_400


async def test_a_time_that_never_helps_is_not_believed_for_ever(make_pool, clock):
    pool = make_pool(key("a"))
    waits = []
    for _ in range(9):
        lease, before = await pool.lease({MODEL: 1}), clock.now()
        pool.cool_down(lease, limited(retry_after_s=3.0))
        await pool.lease({MODEL: 1})
        waits.append(clock.now() - before)
    assert waits[:3] == [3, 3, 3]
    assert waits[-1] > 60
    assert sum(waits) < 1800


async def test_several_429s_in_flight_count_as_one_strike(make_pool, clock):
    pool = make_pool(key("a"))
    leases = [await pool.lease({MODEL: 1}) for _ in range(20)]
    started = clock.now()
    for lease in leases:
        pool.cool_down(lease, limited())
    await pool.lease({MODEL: 1})
    assert clock.now() - started < 10


async def test_a_day_429_parks_the_project_until_midnight_pacific(make_pool, clock):
    pool = make_pool(key("a"))
    clock.time = datetime(2026, 3, 7, 20, tzinfo=PACIFIC).timestamp()
    record = pool.cool_down(await pool.lease({MODEL: 1}), limited(Window.DAY, retry_after_s=12.0))
    midnight = datetime(2026, 3, 8, tzinfo=PACIFIC).timestamp() + CLOCK_S
    assert (record.blocked_until, record.blocked_window) == (midnight, Window.DAY)
    with pytest.raises(KeysExhausted) as caught:
        await pool.lease({MODEL: 1})
    assert caught.value.opens_at == midnight
    clock.time = midnight
    assert await labels(pool, 1) == ["a"]


async def test_one_probe_goes_to_a_parked_project_and_failing_parks_it_again(make_pool, clock):
    pool = make_pool(key("a"), key("b", rpm=1))
    clock.time = datetime(2026, 7, 1, 8, tzinfo=PACIFIC).timestamp()
    pool.cool_down(await pool.lease({MODEL: 1}), limited(Window.DAY))
    clock.time += PROBE_AFTER_S
    served = await labels(pool, 4)
    assert served.count("a") == 1
    clock.time += PROBE_AFTER_S
    assert await labels(pool, 3) == ["b"] * 3


async def test_a_late_refusal_puts_the_probe_off(make_pool, clock):
    pool = make_pool(key("a"), key("b", rpm=1))
    clock.time = datetime(2026, 7, 1, 8, tzinfo=PACIFIC).timestamp()
    early, _, late = [await pool.lease({MODEL: 1}) for _ in range(3)]
    assert early.key == late.key
    pool.cool_down(early, limited(Window.DAY))
    clock.time += PROBE_AFTER_S
    pool.cool_down(late, limited(Window.DAY))
    assert await labels(pool, 3) == ["b"] * 3


async def test_a_probe_that_is_answered_opens_the_project(make_pool, clock):
    pool = make_pool(key("a"))
    clock.time = datetime(2026, 7, 1, 8, tzinfo=PACIFIC).timestamp()
    early, late = await pool.lease({MODEL: 1}), await pool.lease({MODEL: 1})
    pool.cool_down(early, limited(Window.DAY))
    assert pool.settle(late, 1) is None
    with pytest.raises(KeysExhausted):
        await pool.lease({MODEL: 1})
    clock.time += PROBE_AFTER_S
    record = pool.settle(await pool.lease({MODEL: 1}), 1)
    assert record is not None
    assert record.blocked_until == 0.0
    assert await labels(pool, 3) == ["a"] * 3


async def test_a_smaller_limit_that_google_names_is_believed(make_pool, clock):
    pool = make_pool(key("a", rpm=100))
    record = pool.cool_down(await pool.lease({MODEL: 1}), limited(retry_after_s=60.0, rpm=2))
    assert record.learned == {"rpm": LearnedLimit(2, stated=100, at=clock.now())}
    started = clock.now()
    await labels(pool, 3)
    assert clock.now() == started + 2 * MINUTE_S + ARRIVAL_S


async def test_the_latest_word_on_a_limit_counts(make_pool, clock):
    pool = make_pool(key("a", rpm=100))
    pool.cool_down(await pool.lease({MODEL: 1}), limited(retry_after_s=60.0, rpm=2))
    record = pool.cool_down(await pool.lease({MODEL: 1}), limited(retry_after_s=60.0, rpm=50))
    assert record.learned["rpm"].value == 50


@pytest.mark.parametrize(
    ("stated", "days_later", "is_believed"), [(10, 5, True), (10, 7, False), (20, 0, False)]
)
async def test_a_learned_limit_is_believed_for_a_week_or_until_another_is_stated(
    make_pool, clock, stated, days_later, is_believed
):
    pool = make_pool(key("a", rpd=10))
    record = pool.cool_down(await pool.lease({MODEL: 1}), limited(Window.DAY, rpd=3))
    clock.time += days_later * 86_400
    # Of a new quota day in any case.
    clock.time = max(clock.time, day_over(clock.time))
    again = make_pool(key("a", rpd=stated), records={record.meter: record})
    allowed = 3 if is_believed else stated
    assert await labels(again, allowed) == ["a"] * allowed
    with pytest.raises(KeysExhausted):
        await again.lease({MODEL: 1})


async def test_a_refusal_or_a_dead_key_stops_what_was_not_sent_yet(make_pool, clock):
    a, b = key("a", "p"), key("b")
    pool = make_pool(a, b)
    refused, of_b, waiting = [await pool.lease({MODEL: 1}) for _ in range(3)]
    assert all(pool.may_send(lease) for lease in (refused, of_b, waiting))
    pool.cool_down(refused, limited(retry_after_s=30.0))
    assert not pool.may_send(waiting)
    pool.remove(b, InvalidKey("gone"))
    assert not pool.may_send(of_b)


async def test_a_probe_that_was_not_sent_is_still_to_come(make_pool, clock):
    pool = make_pool(key("a"), key("b", rpm=1))
    clock.time = datetime(2026, 7, 1, 8, tzinfo=PACIFIC).timestamp()
    pool.cool_down(await pool.lease({MODEL: 1}), limited(Window.DAY))
    clock.time += PROBE_AFTER_S
    probe = next(
        lease
        for lease in [await pool.lease({MODEL: 1}) for _ in range(2)]
        if lease.key.label == "a"
    )
    assert pool.may_send(probe)
    pool.give_back(probe)
    assert (await labels(pool, 2)).count("a") == 1


async def test_a_probe_of_a_day_that_is_over_lets_nothing_past_a_later_refusal(make_pool, clock):
    pool = make_pool(key("a"))
    record = pool.cool_down(await pool.lease({MODEL: 1}), limited(Window.DAY))
    # A restart on the next day, and no probe was needed.
    clock.time = day_over(clock.now()) + 7_200
    again = make_pool(key("a"), records={record.meter: record})
    lease = await again.lease({MODEL: 1})
    refused_at = clock.now()
    again.cool_down(lease, limited(retry_after_s=90.0))
    await again.lease({MODEL: 1})
    assert clock.now() >= refused_at + 90


async def test_exhausted_by_its_own_count_it_names_the_next_midnight(make_pool, clock):
    pool = make_pool(key("a", rpd=2), key("b", rpd=1))
    await labels(pool, 3)
    with pytest.raises(KeysExhausted) as caught:
        await pool.lease({MODEL: 1})
    assert caught.value.opens_at == day_over(clock.now())


async def test_told_to_wait_it_sleeps_until_the_next_day(make_pool, clock):
    pool = make_pool(key("a", rpd=1), on_exhausted=OnExhausted.WAIT)
    midnight = day_over(clock.now())
    await labels(pool, 2)
    assert clock.now() == midnight


async def test_a_restart_forgets_neither_use_nor_cool_downs(make_pool, clock):
    now = clock.now()
    use = {
        Meter("p-a", MODEL): ProjectUse(last_minute=((now - 20, 5),), today=1),
        Meter("p-b", MODEL): ProjectUse(today=3),
    }
    record = ProjectRecord("p-c", MODEL, next_day(now), Window.DAY)
    records = {record.meter: record}
    pool = make_pool(key("a", rpm=1), key("b", rpd=3), key("c"), use=use, records=records)
    assert await labels(pool, 1) == ["a"]
    assert clock.now() == now + 40 + ARRIVAL_S


@pytest.mark.parametrize("probe_in_s", [None, 3 * DAY_S])
async def test_a_clock_that_was_days_ahead_lets_no_project_rest_for_days(
    make_pool, clock, probe_in_s
):
    now = clock.now()
    probe_at = None if probe_in_s is None else now + probe_in_s
    record = ProjectRecord("p-a", MODEL, now + 4 * DAY_S, Window.DAY, probe_at)
    pool = make_pool(key("a"), records={record.meter: record}, on_exhausted=OnExhausted.WAIT)
    assert await labels(pool, 1) == ["a"]
    waited_s = clock.now() - now
    assert waited_s == (DAY_S if probe_in_s is None else PROBE_AFTER_S)


async def test_a_stop_ends_the_waiting(make_pool, clock):
    stop = AsyncStopSignal()
    pool = make_pool(key("a", rpm=1), stop=stop)
    await pool.lease({MODEL: 1})
    stop.request("enough")
    with pytest.raises(StopRequested):
        await pool.lease({MODEL: 1})


async def test_waiters_are_served_in_order_and_within_the_quota(make_pool, clock):
    pool = make_pool(key("a", rpm=5))
    started = clock.now()
    leases = await asyncio.gather(*(pool.lease({MODEL: 1}) for _ in range(23)))
    assert [lease.at for lease in leases] == sorted(lease.at for lease in leases)
    assert clock.now() == pytest.approx(started + 22 * 12)


async def test_keys_without_a_minute_limit_never_wait(make_pool, clock):
    pool = make_pool(key("a", rpd=1000), key("b", tpm=1000))
    started = clock.now()
    await labels(pool, 500)
    assert clock.now() == started


async def test_an_hour_brings_what_the_quotas_of_five_projects_allow(make_pool, clock):
    limits = [
        {"rpm": 10},
        {"rpm": 15, "tpm": 5000},
        {"rpm": 60, "rpd": 400},
        {"rpm": 7},
        {"rpm": 2},
    ]
    keys = [key(f"k{n}", f"p{n % 5}", **limits[n % 5]) for n in range(12)]
    allowed = {"p0": 600, "p1": 600, "p2": 400, "p3": 420, "p4": 120}
    pool, started, served = make_pool(*keys), clock.now(), Counter()
    while (lease := await pool.lease({MODEL: 500})).at < started + 3600:
        served[lease.key.project] += 1
    assert all(served[project] <= allowed[project] for project in allowed)
    assert served.total() >= 0.99 * sum(allowed.values())


async def test_an_untried_key_gets_a_second_request_once_its_first_was_taken(make_pool):
    a, b = key("a"), key("b")
    pool = make_pool(a, b, untried=[a, b])
    first, other = [await pool.lease({MODEL: 1}) for _ in range(2)]
    waiting = asyncio.ensure_future(pool.lease({MODEL: 1}))
    await asyncio.sleep(0)
    assert not waiting.done()
    pool.remove(other.key, InvalidKey("gone"))
    await asyncio.sleep(0)
    assert not waiting.done()
    pool.settle(first, 1)
    assert (await waiting).key == a
    assert await labels(pool, 3) == ["a", "a", "a"]


async def test_a_first_request_that_came_to_nothing_leaves_the_key_untried(make_pool):
    a = key("a")
    pool = make_pool(a, untried=[a])
    for end in (pool.unanswered, pool.give_back, pool.taken):
        lease = await pool.lease({MODEL: 1})
        waiting = asyncio.ensure_future(pool.lease({MODEL: 1}))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        end(lease)
        pool.give_back(await waiting)
    assert await labels(pool, 2) == ["a", "a"]


async def test_a_trial_under_way_is_waited_for_though_all_others_are_spent(make_pool, clock):
    a, b = key("a", rpd=1), key("b")
    pool = make_pool(a, b, untried=[a, b])
    for lease in [await pool.lease({MODEL: 1}) for _ in range(2)]:
        if lease.key == a:
            pool.settle(lease, 1)
        else:
            on_trial = lease
    waiting = asyncio.ensure_future(pool.lease({MODEL: 1}))
    await asyncio.sleep(0)
    pool.settle(on_trial, 1)
    assert (await waiting).key in {a, b}


async def test_a_closed_project_takes_all_its_keys_and_is_remembered(make_pool, clock):
    pool = make_pool(key("a", "p"), key("b", "p"), key("c"))
    lease = await pool.lease({MODEL: 1})
    (record,) = pool.close(lease, NoQuota("limit 0"))
    assert record.refused_because == "limit 0"
    assert len(pool.removed) == 2
    assert await labels(pool, 2) == ["c", "c"]
    again = make_pool(key("a", "p"), records={record.meter: record})
    assert again.uses(clock.now())["p", MODEL].refused_because == "limit 0"
    opened = again.settle(await again.lease({MODEL: 1}), 1)
    assert opened is not None
    assert opened.refused_because == again.uses(clock.now())["p", MODEL].refused_because == ""


@pytest.mark.parametrize(
    ("refusal", "error", "told"),
    [
        (NoQuota("no quota (limit 0)"), NoProjectMayUse, "waiting brings none"),
        (ProjectRefused("402: no credit"), KeysExhausted, "a: 402: no credit"),
    ],
)
async def test_what_closed_all_projects_decides_how_a_run_ends(make_pool, refusal, error, told):
    pool = make_pool(key("a"), on_exhausted=OnExhausted.WAIT)
    pool.close(await pool.lease({MODEL: 1}), refusal)
    with pytest.raises(error, match=told):
        await pool.lease({MODEL: 1})


async def test_a_day_that_ends_when_the_server_says_is_waited_out(make_pool, clock):
    pool = make_pool(key("a"), on_exhausted=OnExhausted.STOP)
    refusal = RateLimited(
        "429", window=Window.DAY, retry_after_s=None, limits=Quota(), resets_at=clock.now() + 5_000
    )
    record = pool.cool_down(await pool.lease({MODEL: 1}), refusal)
    assert record.blocked_until == clock.now() + 5_000
    far = RateLimited("429", window=Window.DAY, retry_after_s=None, limits=Quota(), resets_at=4e9)
    clock.time += 5_001
    assert pool.cool_down(await pool.lease({MODEL: 1}), far).blocked_until == clock.now() + 86_400
