from __future__ import annotations

import math
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.endpoints.keys.quota import Quota, Window
from shared.endpoints.keys.quota_day import CLOCK_S, PACIFIC, day_counts_from, day_over, next_day
from shared.endpoints.pool.usage import ARRIVAL_S, BURST_S, LONGEST_ARRIVAL_S, Usage
from shared.program.durations import MINUTE_S

TIMES = st.floats(min_value=0, max_value=4e9)
LIMITS = st.none() | st.integers(1, 6)
QUOTAS = st.builds(
    Quota, rpm=LIMITS, tpm=st.none() | st.integers(50, 300), rpd=st.none() | st.integers(1, 12)
)
STEPS = st.lists(st.tuples(st.floats(0, 40), st.integers(1, 50), st.integers(1, 50)), max_size=60)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=PACIFIC).timestamp()


@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01", "2026-07-01"])
def test_the_day_quota_returns_at_midnight_and_not_before(day: str) -> None:
    start = at(f"{day}T00:00")
    usage, quota = Usage(start), Quota(rpd=2)
    for hour in (1, 5):
        usage.reserve(1, start + hour * 3600)
    opening = usage.opening(quota, 1, start + 6 * 3600)
    assert opening.window is Window.DAY
    # The server's clock may be a little behind.
    assert opening.at == next_day(start) + CLOCK_S == day_over(start + 6 * 3600)
    assert usage.opening(quota, 1, opening.at - 1).at == opening.at
    assert usage.opening(quota, 1, opening.at).at == opening.at
    assert usage.requests_in(Window.DAY, opening.at) == 0


@given(QUOTAS, STEPS, TIMES)
def test_whoever_waits_for_the_opening_never_goes_over(quota: Quota, steps: list, now: float):
    usage, sent = Usage(now), []
    for pause, estimate, true_tokens in steps:
        now += pause
        opening = usage.opening(quota, estimate, now)
        if math.isinf(opening.at):
            assert quota.tpm is not None
            assert estimate > quota.tpm
            continue
        now = max(now, opening.at)
        assert usage.opening(quota, estimate, now).at <= now
        reservation = usage.reserve(estimate, now)
        spent = min(estimate, true_tokens)
        usage.settle(reservation, spent)
        usage.end(reservation, now)
        sent.append((now, spent))
        minute = [tokens for moment, tokens in sent if moment + MINUTE_S > now]
        today = [moment for moment, _ in sent if moment >= day_counts_from(now)]
        assert quota.rpm is None or len(minute) <= quota.rpm
        assert quota.tpm is None or sum(minute) <= quota.tpm
        assert quota.rpd is None or len(today) <= quota.rpd
        assert usage.requests_in(Window.MINUTE, now) == len(minute)
        assert usage.tokens_in_minute(now) == sum(minute)
        assert usage.requests_in(Window.DAY, now) == len(today)


@given(QUOTAS, STEPS)
def test_the_opening_is_the_earliest_moment_that_fits(quota: Quota, steps: list) -> None:
    now, usage, sent = 1_000_000.0, Usage(1_000_000.0), []
    for pause, tokens, _ in steps:
        now += pause
        if quota.tpm is not None and tokens > quota.tpm:
            continue
        opening = usage.opening(quota, tokens, now)
        if opening.at > now and opening.window is Window.MINUTE:
            earlier = opening.at - 0.001
            within = [spent for moment, spent in sent if moment + ARRIVAL_S + MINUTE_S > earlier]
            too_many = quota.rpm is not None and len(within) >= quota.rpm
            too_much = quota.tpm is not None and sum(within) + tokens > quota.tpm
            too_soon = quota.rpm is not None and sent[-1][0] + MINUTE_S / quota.rpm > earlier
            burst = [spent for moment, spent in sent if moment + BURST_S > earlier]
            too_thick = quota.tpm is not None and sum(burst) + tokens > 0.12 * quota.tpm
            assert too_many or too_much or too_soon or (burst and too_thick)
        now = max(now, opening.at)
        usage.reserve(tokens, now)
        sent.append((now, tokens))


@pytest.mark.parametrize("rpm", [1, 7, 10, 15, 60, 1000])
def test_a_minute_is_spread_and_still_used_whole(rpm: int) -> None:
    now, usage, quota, sent = 1_000_000.0, Usage(1_000_000.0), Quota(rpm=rpm), []
    while now < 1_000_000.0 + 600:
        usage.reserve(1, now)
        sent.append(now)
        now = usage.opening(quota, 1, now).at
    assert len(sent) >= 0.99 * rpm * 10
    burst = math.ceil(rpm / 10)
    for earlier, later in zip(sent, sent[burst:], strict=False):
        assert later - earlier >= MINUTE_S * burst / rpm - 1e-6


@pytest.mark.parametrize(("estimate", "spent"), [(100, 100), (700, 500), (9_000, 8_000)])
def test_a_minute_bound_by_tokens_is_spread_and_still_used_whole(estimate, spent) -> None:
    now, usage, quota, sent = 1_000_000.0, Usage(1_000_000.0), Quota(tpm=10_000), []
    while now < 1_000_000.0 + 600:
        usage.settle(usage.reserve(estimate, now), spent)
        sent.append(now)
        now = usage.opening(quota, estimate, now).at
    fit = 1 + (quota.tpm - estimate) // spent
    assert len(sent) >= 0.99 * fit * 10
    burst = max(1, math.floor(0.12 * quota.tpm / spent))
    for earlier, later in zip(sent, sent[burst:], strict=False):
        assert later - earlier >= BURST_S - 1e-6


def test_a_request_larger_than_the_minute_never_fits() -> None:
    assert math.isinf(Usage(0.0).opening(Quota(tpm=10), 11, 0.0).at)


def test_what_was_never_sent_is_given_back() -> None:
    usage, quota = Usage(0.0), Quota(rpm=1, rpd=1)
    usage.give_back(usage.reserve(5, 0.0))
    assert usage.opening(quota, 5, 0.0).at == 0.0
    assert usage.requests_in(Window.DAY, 0.0) == 0
    assert usage.tokens_in_minute(0.0) == 0


def test_settling_after_the_minute_changes_nothing_in_the_next() -> None:
    usage = Usage(0.0)
    reservation = usage.reserve(5, 0.0)
    over = MINUTE_S + ARRIVAL_S
    assert usage.tokens_in_minute(over) == 0
    usage.settle(reservation, 500)
    assert usage.tokens_in_minute(over) == 0


def test_a_request_holds_its_place_from_when_it_may_have_arrived() -> None:
    usage, quota = Usage(0.0), Quota(rpm=1)
    slow = usage.reserve(1, 0.0)
    usage.delay(slow)
    usage.send(slow, 3.0)
    assert usage.opening(quota, 1, 4.0).at == 3.0 + ARRIVAL_S + MINUTE_S
    # It was there before its answer came.
    usage.end(slow, 3.1)
    assert usage.opening(quota, 1, 4.0).at == 3.1 + MINUTE_S


def test_what_is_not_sent_yet_holds_its_place_however_long_that_takes() -> None:
    usage, quota = Usage(0.0), Quota(rpm=1)
    hanging = usage.reserve(1, 0.0)
    usage.delay(hanging)
    for now in (61.0, 130.0, 195.0):
        assert usage.opening(quota, 1, now).at > now
    usage.send(hanging, 200.0)
    assert usage.opening(quota, 1, 201.0).at == 200.0 + ARRIVAL_S + MINUTE_S
    usage.end(hanging, 205.0)
    assert usage.opening(quota, 1, 260.3).at == 260.3
    assert usage.tokens_in_minute(260.3) == 0


def test_refusals_of_what_was_in_order_widen_the_margin_up_to_a_bound() -> None:
    usage, quota = Usage(0.0), Quota(rpm=1)
    usage.reserve(1, 0.0)
    usage.expect_later_arrivals()
    assert usage.opening(quota, 1, 1.0).at == 2 * ARRIVAL_S + MINUTE_S
    for _ in range(9):
        usage.expect_later_arrivals()
    assert usage.opening(quota, 1, 1.0).at == LONGEST_ARRIVAL_S + MINUTE_S


def test_what_is_under_way_at_midnight_counts_in_both_days() -> None:
    midnight = at("2026-07-02T00:00")
    usage, quota = Usage(midnight - 3600), Quota(rpd=3)
    usage.reserve(1, midnight - 20)
    late = usage.reserve(1, midnight - 0.5)
    unsent = usage.reserve(1, midnight - 10)
    usage.delay(unsent)
    assert usage.opening(quota, 1, midnight).at == midnight + CLOCK_S
    now = midnight + CLOCK_S
    assert usage.requests_in(Window.DAY, now) == 2
    usage.send(unsent, now + 1)
    usage.reserve(1, now + 2)
    assert usage.opening(quota, 1, now + 2).window is Window.DAY
    usage.give_back(late)
    assert usage.requests_in(Window.DAY, now + 2) == 2


def test_a_restart_remembers_minute_and_day() -> None:
    now = at("2026-07-01T12:00")
    usage = Usage(now, last_minute=[(now - 30, 7), (now - 10, 8)], today=40)
    assert usage.tokens_in_minute(now) == 15
    assert usage.opening(Quota(rpm=2), 1, now).at == now + 30 + ARRIVAL_S
    assert usage.opening(Quota(rpd=40), 1, now).window is Window.DAY
