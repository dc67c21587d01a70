from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.endpoints.keys.quota_day import PACIFIC, day_start, next_day

TIMES = st.floats(min_value=0, max_value=4e9)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=PACIFIC).timestamp()


@given(TIMES)
def test_a_time_lies_within_its_day_which_starts_and_ends_at_midnight(now: float) -> None:
    start, end = day_start(now), next_day(now)
    assert start <= now < end
    for edge in (start, end):
        local = datetime.fromtimestamp(edge, UTC).astimezone(PACIFIC)
        assert (local.hour, local.minute, local.second) == (0, 0, 0)
    assert day_start(end) == end
    assert next_day(start) == end


@pytest.mark.parametrize(
    ("noon", "hours"),
    [("2026-03-08T12:00", 23), ("2026-11-01T12:00", 25), ("2026-07-01T12:00", 24)],
)
def test_days_have_the_hours_that_daylight_saving_leaves_them(noon: str, hours: int) -> None:
    assert next_day(at(noon)) - day_start(at(noon)) == hours * 3600
