from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from curator.ledger.reports.pace import (
    LONGEST,
    History,
    RecentRate,
    SpanCounts,
    history_of,
    width_for,
)


@given(st.lists(st.floats(0, 400_000), max_size=50), st.floats(0, 100_000))
def test_a_history_keeps_every_count_in_few_bins(delays, rest):
    now = 1_000.0
    history = History(now)
    for delay in delays:
        now += delay / max(1, len(delays))
        history.add(now, SpanCounts(answered=1, failed=2))
    bins = history.bins(now + rest)
    assert 1 <= len(bins) <= LONGEST
    assert sum(counts.answered for _, counts in bins) == len(delays)
    assert sum(counts.failed for _, counts in bins) == 2 * len(delays)
    assert bins[0][0] == 1_000.0
    assert bins[-1][0] <= now + rest < bins[-1][0] + history.width_s


def test_a_history_goes_on_from_what_was_counted_elsewhere():
    history = history_of(
        100.0, width_for(86_400), [(0, SpanCounts(answered=3)), (7, SpanCounts(limited=2))]
    )
    assert history.width_s * LONGEST > 86_400
    bins = history.bins(100.0 + 7 * history.width_s)
    assert (bins[0][1].answered, bins[7][1].limited, len(bins)) == (3, 2, 8)


def test_the_rate_is_that_of_the_last_minutes():
    rate = RecentRate(0.0)
    for second in range(100):
        rate.add(float(second))
    assert rate.counted(100.0) == (100, 100.0)
    assert rate.counted(10_000.0) == (0, 300.0)
