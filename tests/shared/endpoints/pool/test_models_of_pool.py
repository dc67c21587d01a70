"""Several models at one pool: whose turn it is, and who closes what."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from structlog.testing import capture_logs

from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import Quota, Window
from shared.endpoints.pool.exhaustion import KeysExhausted, NoProjectMayUse, OnExhausted
from shared.endpoints.pool.lease import Lease
from shared.endpoints.pool.pool import KeyPool
from shared.endpoints.pool.records import Meter, ProjectUse
from shared.endpoints.refusals.refusal import (
    InvalidKey,
    ModelRefused,
    NoQuota,
    ProjectRefused,
    RateLimited,
)
from shared.program.async_stopping import AsyncStopSignal
from shared.program.durations import MINUTE_S
from tests.fakes.jumping_clock import JumpingClock

FIRST, SECOND = MODELS = ("flash", "lite")
TOKENS = {FIRST: 1, SECOND: 1}


def key(label: str, project: str = "", **limits: int) -> Key:
    return Key(label, project or f"p-{label}", f"secret-of-{label}", Quota(**limits))


@pytest.fixture
def make_pool():
    def make(*keys: Key, models=MODELS, untried=(), use=None, clock=None, **limits):
        return KeyPool(
            keys,
            [AskedModel(model, Quota(**limits.get(model, {}))) for model in models],
            clock=clock or JumpingClock(),
            stop=AsyncStopSignal(),
            on_exhausted=OnExhausted.STOP,
            rng=random.Random(0),
            use=use or {},
            records={},
            untried=untried,
        )

    return make


async def leases(pool: KeyPool, count: int) -> list[Lease]:
    return [await pool.lease(TOKENS) for _ in range(count)]


async def turns(pool: KeyPool, count: int) -> list[tuple[str, str]]:
    return [(lease.key.label, lease.model) for lease in await leases(pool, count)]


async def test_the_second_model_is_asked_while_no_key_has_room_for_the_first(make_pool):
    pool = make_pool(key("a", rpm=1), key("b", rpm=1))
    assert await turns(pool, 4) == [("a", FIRST), ("b", FIRST), ("a", SECOND), ("b", SECOND)]
    # A minute later all four are open again, and the first is preferred.
    assert [model for _, model in await turns(pool, 4)] == [FIRST, FIRST, SECOND, SECOND]


async def test_each_model_has_the_whole_quota_of_each_project(make_pool):
    clock = JumpingClock()
    pool, started = make_pool(key("a", rpm=10), key("b", rpm=5), clock=clock), clock.now()
    served: Counter[Meter] = Counter()
    while (lease := await pool.lease(TOKENS)).at < started + 10 * MINUTE_S:
        served[lease.meter] += 1
    for meter, a_minute in ((("p-a", FIRST), 10), (("p-b", SECOND), 5)):
        assert 0.98 * 10 * a_minute <= served[meter] <= 10 * a_minute


async def test_the_run_is_exhausted_once_no_model_has_quota_left_today(make_pool):
    pool = make_pool(key("a", rpd=2), use={Meter("p-a", SECOND): ProjectUse(today=1)})
    assert Counter(await turns(pool, 3)) == {("a", FIRST): 2, ("a", SECOND): 1}
    with pytest.raises(KeysExhausted, match="come back at"):
        await pool.lease(TOKENS)


async def test_a_request_counts_with_the_tokens_of_the_model_that_gets_it(make_pool):
    pool = make_pool(key("a", tpm=1000))
    leased = [await pool.lease({FIRST: 600, SECOND: 70}) for _ in range(2)]
    assert [(lease.model, lease.reservation.tokens) for lease in leased] == [
        (FIRST, 600),
        (SECOND, 70),
    ]


async def test_a_model_that_a_project_may_not_use_keeps_its_keys_for_the_other(make_pool):
    pool = make_pool(key("a", "p"), key("b", "p"), key("c"))
    (refused,) = await leases(pool, 1)
    with capture_logs() as events:
        (record,) = pool.close(refused, ModelRefused("404: no longer available to new users"))
        pool.close(refused, ModelRefused("404: no longer available to new users"))
    [event] = events
    assert event["event"] == "project_may_not_use_model"
    assert (event["project"], event["model"]) == ("p", "flash")
    assert event["reason"] == "404: no longer available to new users"
    assert (record.meter, bool(record.refused_because)) == (("p", FIRST), True)
    assert not pool.removed
    # The new key of an old pool serves what it may; whoever may use the first model goes on.
    assert Counter(await turns(pool, 4)) == {("c", FIRST): 4}
    pool.close((await leases(pool, 1))[0], NoQuota("limit 0"))
    assert set(await turns(pool, 3)) == {("a", SECOND), ("b", SECOND), ("c", SECOND)}


async def test_what_was_leased_for_a_closed_model_is_not_sent(make_pool):
    pool = make_pool(key("a", "p", rpm=20), key("b", "p", rpm=20))
    refused, of_first, of_second = await leases(pool, 3)
    assert [one.model for one in (refused, of_first, of_second)] == [FIRST, FIRST, SECOND]
    pool.close(refused, ModelRefused("404"))
    assert not pool.may_send(of_first)
    assert pool.may_send(of_second)


@pytest.mark.parametrize(
    ("refusals", "error", "told"),
    [
        (
            (ModelRefused("404: unknown"), NoQuota("limit 0")),
            NoProjectMayUse,
            r"any of these models \(a for flash: 404: unknown; a for lite: limit 0\)",
        ),
        ((NoQuota("no quota"), NoQuota("no quota")), NoProjectMayUse, "waiting brings none"),
        ((ModelRefused("404"), ProjectRefused("402: no credit")), KeysExhausted, "402: no credit"),
    ],
)
async def test_the_run_ends_only_when_no_model_is_left(make_pool, refusals, error, told):
    pool = make_pool(key("a"))
    for refusal in refusals:
        pool.close(await pool.lease(TOKENS), refusal)
    assert len(pool.removed) == 1
    with pytest.raises(error, match=told):
        await pool.lease(TOKENS)


async def test_a_project_without_credit_closes_all_its_models(make_pool):
    pool = make_pool(key("a"), key("b"))
    records = pool.close((await leases(pool, 1))[0], ProjectRefused("402: no credit"))
    assert {record.meter for record in records} == {("p-a", FIRST), ("p-a", SECOND)}
    assert {label for label, _ in await turns(pool, 4)} == {"b"}


async def test_an_invalid_key_leaves_all_models(make_pool):
    a, b = key("a"), key("b")
    pool = make_pool(a, b)
    pool.remove(a, InvalidKey("API_KEY_INVALID"))
    assert {label for label, _ in await turns(pool, 4)} == {"b"}


async def test_a_refusal_of_one_model_rests_no_other(make_pool):
    pool = make_pool(key("a"))
    lease, waiting = await leases(pool, 2)
    refusal = RateLimited("429", window=Window.DAY, retry_after_s=None, limits=Quota(rpd=1))
    record = pool.cool_down(lease, refusal)
    assert record.meter == ("p-a", FIRST)
    assert not pool.may_send(waiting)
    assert await turns(pool, 2) == [("a", SECOND)] * 2
    assert pool.uses(lease.at)["p-a", SECOND].quota == Quota()


async def test_a_new_model_is_tried_by_one_request_before_the_crowd(make_pool):
    a, b = key("a", "p", rpm=1), key("b", "p", rpm=1)
    pool = make_pool(a, b, untried=[a, b])
    (first,) = await leases(pool, 1)
    # Until the first answer, the other key may try the other model, and nothing more.
    (second,) = await leases(pool, 1)
    assert (second.key, second.model) == (b, SECOND)
    waiting = asyncio.ensure_future(pool.lease(TOKENS))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    pool.settle(first, 1)
    pool.close(second, ModelRefused("404"))
    assert (await waiting).model == FIRST


async def test_no_other_model_is_asked_while_the_first_one_is_on_trial(make_pool):
    a, b = key("a"), key("b")
    pool = make_pool(a, b, untried=[a, b])
    first, other = await leases(pool, 2)
    waiting = asyncio.ensure_future(pool.lease(TOKENS))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    pool.settle(first, 1)
    assert {lease.model for lease in (first, other, await waiting)} == {FIRST}
    # What the trial refuses is asked of the next one at once.
    pool.close(other, ModelRefused("404"))
    pool.close(first, ModelRefused("404"))
    assert (await pool.lease(TOKENS)).model == SECOND


async def test_a_model_has_the_limits_of_its_own_table_before_those_of_the_key(make_pool):
    pool = make_pool(key("a", rpm=40, rpd=3), lite={"rpd": 1})
    uses = pool.uses(0.0)
    assert uses["p-a", FIRST].quota == Quota(rpm=40, rpd=3)
    assert uses["p-a", SECOND].quota == Quota(rpm=40, rpd=1)
    assert Counter(model for _, model in await turns(pool, 4)) == {FIRST: 3, SECOND: 1}
    with pytest.raises(KeysExhausted):
        await pool.lease(TOKENS)


async def test_a_second_opinion_waits_a_minute_for_another_model_but_no_day(make_pool):
    clock = JumpingClock()
    pool, started = make_pool(key("a", rpm=1, rpd=2), clock=clock), clock.now()
    asked = [(await pool.lease(TOKENS, FIRST)).model for _ in range(2)]
    assert asked == [SECOND, SECOND]
    assert clock.now() >= started + MINUTE_S
    # Today, the second has nothing left: the first is asked again rather than tomorrow.
    assert (await pool.lease(TOKENS, FIRST)).model == FIRST


async def test_a_second_opinion_comes_from_the_same_model_where_no_other_is_served(make_pool):
    pool = make_pool(key("a"))
    pool.close((await pool.lease(TOKENS, FIRST)), ModelRefused("404"))
    assert (await pool.lease(TOKENS, FIRST)).model == FIRST
    alone = make_pool(key("a"), models=(FIRST,))
    assert (await alone.lease(TOKENS, FIRST)).model == FIRST


LIMITS = {
    "pro": {"rpm": 2, "rpd": 50},
    "flash": {"rpm": 10, "rpd": 250},
    "lite": {"rpm": 15, "tpm": 30_000},
    "gemma": {"rpm": 30, "rpd": 1_000},
}


async def test_an_hour_brings_what_the_quotas_of_all_models_allow_though_some_close(make_pool):
    """Twelve keys in seven projects and four models; three of them close after half an hour."""
    clock, started = JumpingClock(), JumpingClock().now()
    keys = [key(f"k{number}", f"p{number % 7}") for number in range(12)]
    pool = make_pool(*keys, models=tuple(LIMITS), clock=clock, **LIMITS)
    close_at, tokens = started + 1_800, dict.fromkeys(LIMITS, 1_500)
    closing = {Meter("p0", "flash"), Meter("p1", "gemma"), Meter("p2", "lite")}
    served: dict[Meter, list[float]] = {}
    while (lease := await pool.lease(tokens)).at < started + 3_600:
        if lease.meter in closing and lease.at >= close_at:
            pool.give_back(lease)
            pool.close(lease, ModelRefused("404"))
            continue
        served.setdefault(lease.meter, []).append(lease.at)
    allowed = 0
    for project in {one.project for one in keys}:
        for model, limits in LIMITS.items():
            minutes = 30 if Meter(project, model) in closing else 60
            mine = served[Meter(project, model)]
            # At either end of the span, one minute's requests may count on the other side.
            most = min(limits["rpm"] * minutes, limits.get("rpd", 10**6))
            assert len(mine) <= most
            for first, last in zip(mine, mine[limits["rpm"] :], strict=False):
                assert last - first >= MINUTE_S
            allowed += most
    assert sum(map(len, served.values())) >= 0.99 * allowed
