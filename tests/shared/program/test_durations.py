from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.program.durations import duration, local_time


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-3_600.0, "0 s"),
        (-0.0001, "0 s"),
        (0.0, "0 s"),
        (0.4, "0 s"),
        (59.9, "59 s"),
        (60.0, "1 min"),
        (3_599.0, "1 h 0 min"),
        (37_920.0, "10 h 32 min"),
        (86_400.0, "1 day 0 h"),
        (200_000.0, "2 days 7 h"),
        (1e300, "more than 1,000 years"),
        (math.inf, "unknown"),
        (-math.inf, "0 s"),
        (math.nan, "unknown"),
    ],
)
def test_a_span_has_its_words(seconds, told):
    assert duration(seconds) == told


@given(st.floats())
def test_no_span_is_negative_or_breaks_anything(seconds):
    assert not duration(seconds).startswith("-")
    assert local_time(seconds)
