"""Which pairs a step sees."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shared.records import QAPair
from trainer.batches import Batches


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
