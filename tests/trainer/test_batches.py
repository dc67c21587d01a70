"""Which pairs a step sees, and how fast it learns."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.records import QAPair
from trainer.batches import Batches
from trainer.loop import learning_rate_factor, warmup_steps
from trainer.pretraining import learning_rate_factor as pretraining_factor


def pairs(count):
    return [QAPair(str(number), "q", "a", f"{number}.png") for number in range(count)]


@given(
    count=st.integers(1, 60),
    batch_size=st.integers(1, 9),
    accumulation=st.integers(1, 4),
    epoch=st.integers(0, 3),
)
def test_every_pair_is_seen_once_in_an_epoch(count, batch_size, accumulation, epoch):
    batches = Batches(pairs(count), batch_size, accumulation, seed=1)
    first = epoch * batches.steps_per_epoch
    seen = Counter()
    for step in range(first, first + batches.steps_per_epoch):
        micro_batches = batches.micro_batches(step)
        assert 1 <= len(micro_batches) <= accumulation
        assert all(1 <= len(batch) <= batch_size for batch in micro_batches)
        seen.update(pair.id for batch in micro_batches for pair in batch)
    assert seen == Counter(str(number) for number in range(count))


def test_a_step_is_the_same_whatever_came_before():
    one, other = (Batches(pairs(20), 3, 2, seed=5) for _ in range(2))
    for step in range(9):
        one.micro_batches(step)
    assert one.micro_batches(6) == other.micro_batches(6)


def test_epochs_and_seeds_differ():
    batches = Batches(pairs(20), 20, 1, seed=5)
    assert batches.micro_batches(0) != batches.micro_batches(1)
    assert batches.micro_batches(0) != Batches(pairs(20), 20, 1, seed=6).micro_batches(0)


@pytest.mark.parametrize(
    ("total", "expected"), [(50, 100), (1000, 100), (1001, 101), (5000, 500), (0, 100)]
)
def test_warm_up_is_a_tenth_of_the_steps_but_a_hundred_at_least(total, expected):
    assert warmup_steps(total, 100, 0.1) == expected


def test_the_rate_rises_to_its_peak_and_falls_to_nothing():
    factors = [learning_rate_factor(step, 100, 500) for step in range(500)]
    assert factors[0] == pytest.approx(0.01)
    assert factors[49] == pytest.approx(0.5)
    assert max(factors) == factors[99] == factors[100] == pytest.approx(1.0)
    assert factors[300] == pytest.approx(0.5)
    assert factors[499] == pytest.approx(1 / 400)
    assert learning_rate_factor(500, 100, 500) == 0


def test_a_run_shorter_than_its_warm_up_never_reaches_the_peak():
    factors = [learning_rate_factor(step, 100, 20) for step in range(20)]
    assert factors == sorted(factors)
    assert factors[-1] == pytest.approx(0.2)


def test_without_warm_up_the_first_step_has_the_full_rate():
    assert learning_rate_factor(0, 0, 10) == 1.0


def test_pre_training_warms_up_and_then_follows_half_a_cosine():
    factors = [pretraining_factor(step, 100, 0.1) for step in range(100)]
    assert factors[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert factors[55] == pytest.approx(0.5)
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[-1] < 0.001
