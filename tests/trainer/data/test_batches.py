"""Which pairs a step sees."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shared.records import QAPair
from trainer.data.batches import Batches


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
    batches, other = (Batches(pairs(20), 3, 2, seed=5) for _ in range(2))
    for step in range(9):
        batches.micro_batches(step)
    assert batches.micro_batches(6) == other.micro_batches(6)


def test_epochs_and_seeds_differ():
    batches = Batches(pairs(20), 20, 1, seed=5)
    assert batches.micro_batches(0) != batches.micro_batches(1)
    assert batches.micro_batches(0) != Batches(pairs(20), 20, 1, seed=6).micro_batches(0)


def test_the_questions_of_an_image_stand_together():
    of_images = [QAPair(str(n), "q", "a", f"{n % 12}.png") for n in range(60)]
    batches = Batches(of_images, 5, 2, seed=3)
    seen = [
        {pair.filename for pair in batch}
        for step in range(batches.steps_per_epoch)
        for batch in batches.micro_batches(step)
    ]
    assert all(len(images) == 1 for images in seen)
    assert len(set.union(*seen)) == 12
    first = [pair.id for pair in batches.micro_batches(0)[0]]
    assert first != sorted(first, key=int)
