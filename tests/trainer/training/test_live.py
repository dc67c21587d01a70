"""The line beside the progress of training."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.training.live import BARS, WIDTH, live_note, sparkline


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([], ""),
        ([3.0], "▁"),
        ([2.0, 2.0], "▁▁"),
        ([8.0, 1.0], "█▁"),
        ([float(n) for n in range(8)], "▁▂▃▄▅▆▇█"),
        ([1.0] * 20 + [0.0] * 20, "█" * 8 + "▁" * 8),
    ],
)
def test_a_sparkline_shows_the_run_from_left_to_right(values, bars):
    assert sparkline(values) == bars


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300))
def test_any_run_fits_into_the_line(values):
    bars = sparkline(values)
    assert 1 <= len(bars) <= WIDTH
    assert set(bars) <= set(BARS)


def test_the_note_has_loss_score_and_memory():
    note = live_note([2.0, 1.0], [0.25, 0.5, 0.4], 3.14)
    assert note == "loss 1.000 █▁, held-out 0.4000 (best 0.5000), peak 3.1 GiB"
    assert live_note([2.0], [], 1.0) == "loss 2.000 ▁, peak 1.0 GiB"
