import itertools
import random

import pytest

from shared.errors import InputError
from trainer.quantizing.allocation import Choice, allocate


def drawn(seed, parts):
    dice = random.Random(seed)
    return {
        f"part {number}": [
            Choice(bits, bits * dice.randrange(1, 9), dice.random() / bits) for bits in (2, 3, 4, 8)
        ]
        for number in range(parts)
    }


@pytest.mark.parametrize("seed", range(12))
def test_no_other_plan_within_the_budget_loses_less(seed):
    choices = drawn(seed, parts=5)
    least = sum(min(choice.bytes for choice in of_part) for of_part in choices.values())
    budget = least + 7 * seed
    plan = allocate(choices, budget)
    assert list(plan) == list(choices)
    assert sum(choice.bytes for choice in plan.values()) <= budget
    everything = itertools.product(*choices.values())
    best = min(
        sum(choice.loss for choice in each)
        for each in everything
        if sum(choice.bytes for choice in each) <= budget
    )
    assert sum(choice.loss for choice in plan.values()) == pytest.approx(best)


def test_a_budget_that_even_the_fewest_bits_pass_is_refused():
    with pytest.raises(InputError, match="in the fewest bits; give more"):
        allocate(drawn(0, parts=3), 3)
