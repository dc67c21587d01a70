"""What a thousand answers take, from the answers of an address."""

from dataclasses import replace
from datetime import date

import pytest

from evaluator.endpoints.journal import Asked
from evaluator.endpoints.spent import Prices, cost_of
from evaluator.scoring.cost import Cost
from shared.endpoints.models.prices import Price

ONE = Asked(
    "red", input_tokens=300, output_tokens=2, thought_tokens=8, latency_s=1.0, at=11.0, model="vlm"
)
LISTED = Price(2.0, 10.0, read_on=date(2026, 11, 28))


def prices(given=None, per_hour=None):
    return Prices({"vlm": LISTED}.get, given, per_hour)


def test_thinking_is_paid_as_output_and_the_price_has_its_date():
    cost = cost_of([ONE, replace(ONE, at=12.0)], prices())
    assert cost.usd_k == pytest.approx(1_000 * (300 * 2 + 10 * 10) / 1e6)
    assert "read on 2026-11-28" in cost.price
    assert (cost.input_tokens_k, cost.output_tokens_k, cost.thought_tokens_k) == (
        300_000,
        2_000,
        8_000,
    )


def test_time_in_which_nobody_answered_is_not_counted():
    both_at_once = [ONE, ONE]
    assert cost_of(both_at_once, prices()).seconds_k == pytest.approx(500)
    a_day_later = [ONE, replace(ONE, at=86_411.0)]
    assert cost_of(a_day_later, prices()).seconds_k == pytest.approx(1_000)


def test_what_is_given_goes_over_what_is_known():
    assert cost_of([ONE], prices(given=Price(0.0, 0.0))).usd_k == 0
    assert cost_of([ONE], prices(per_hour=3.6)).usd_k == pytest.approx(1.0)


def test_without_a_price_or_counted_tokens_there_is_no_money():
    assert cost_of([replace(ONE, model="mine")], prices()).usd_k is None
    uncounted = cost_of([ONE, replace(ONE, input_tokens=0, output_tokens=0)], prices())
    assert (uncounted.usd_k, uncounted.input_tokens_k, uncounted.output_tokens_k) == (None,) * 3


def test_failures_are_told_by_reason_and_take_no_time():
    failed = Asked("", failure="400: no", requests=1, model="vlm")
    cost = cost_of([ONE, failed, failed], prices())
    assert cost.failures == {"400: no": 2}
    assert (cost.answers, cost.requests_k) == (1, 3_000)
    assert cost_of([failed], prices()) is None


def test_it_is_read_as_it_was_written():
    cost = cost_of([ONE], prices())
    assert Cost.from_json(cost.to_json()) == cost
