"""How fast a step learns."""

import pytest

from trainer.recipe.schedule import Schedule, learning_rate_factor, warmup_steps


@pytest.mark.parametrize(
    ("total", "expected"), [(50, 100), (1000, 100), (1001, 101), (5000, 500), (0, 100)]
)
def test_warm_up_is_a_tenth_of_the_steps_but_a_hundred_at_least(total, expected):
    assert warmup_steps(total, 100, 0.1) == expected


def test_the_rate_rises_to_its_peak_and_falls_to_nothing():
    factors = [learning_rate_factor(Schedule.LINEAR, step, 100, 500) for step in range(500)]
    assert factors[0] == pytest.approx(0.01)
    assert factors[49] == pytest.approx(0.5)
    assert max(factors) == factors[99] == factors[100] == pytest.approx(1.0)
    assert factors[300] == pytest.approx(0.5)
    assert factors[499] == pytest.approx(1 / 400)
    assert learning_rate_factor(Schedule.LINEAR, 500, 100, 500) == 0


def test_a_run_shorter_than_its_warm_up_never_reaches_the_peak():
    factors = [learning_rate_factor(Schedule.LINEAR, step, 100, 20) for step in range(20)]
    assert factors == sorted(factors)
    assert factors[-1] == pytest.approx(0.2)


def test_without_warm_up_the_first_step_has_the_full_rate():
    assert learning_rate_factor(Schedule.LINEAR, 0, 0, 10) == 1.0


def test_the_cosine_follows_half_a_period_after_the_warm_up():
    factors = [learning_rate_factor(Schedule.COSINE, step, 10, 100) for step in range(100)]
    assert factors[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert factors[55] == pytest.approx(0.5)
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[-1] < 0.001


def test_the_constant_rate_stays_at_its_peak():
    factors = [learning_rate_factor(Schedule.CONSTANT, step, 4, 10) for step in range(10)]
    assert factors == pytest.approx([0.25, 0.5, 0.75] + [1.0] * 7)
