"""Shards hold whole images and do not depend on the order of rows."""

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from evaluator.answering.shards import (
    IMAGE_COST,
    LARGEST_COST,
    MOST_OF_AN_IMAGE,
    SHARDS_WANTED,
    SMALLEST_COST,
    cut_shards,
)
from shared.records import Question


def questions(counts):
    return [
        Question(f"{image}-{number}", "what", f"{image}.png")
        for image, count in enumerate(counts)
        for number in range(count)
    ]


COUNTS = st.lists(st.integers(1, 12), min_size=1, max_size=30)


@given(counts=COUNTS, cost=st.floats(1, 100), seed=st.integers())
def test_every_question_is_in_one_shard_with_all_others_of_its_image(counts, cost, seed):
    asked = questions(counts)
    random.Random(seed).shuffle(asked)
    shards = cut_shards(asked, cost)
    assert [shard.index for shard in shards] == list(range(len(shards)))
    assert sorted(q.id for s in shards for q in s.questions) == sorted(q.id for q in asked)
    homes = {(q.filename, s.index) for s in shards for q in s.questions}
    assert len(homes) == len(counts)
    assert shards == cut_shards(questions(counts), cost)


def cost_of(shard):
    return IMAGE_COST * len({question.filename for question in shard.questions}) + len(
        shard.questions
    )


@given(counts=COUNTS, cost=st.floats(1, 100))
def test_shards_cost_the_same_to_within_one_image(counts, cost):
    shards = cut_shards(questions(counts), cost)
    total = sum(map(cost_of, shards))
    share = total / math.ceil(total / cost)
    assert share <= cost + 1e-9
    for shard in shards:
        assert cost_of(shard) <= share + IMAGE_COST + max(counts) + 1e-9


def test_small_data_is_cut_finer_than_large():
    def shards(images):
        return cut_shards(questions([5] * images))

    small, middling, large = shards(200), shards(2_000), shards(8_000)
    assert len(small) == math.ceil(200 * 9 / SMALLEST_COST)
    assert len(middling) == SHARDS_WANTED
    assert len(large) == math.ceil(8_000 * 9 / LARGEST_COST)


def test_an_image_of_a_hundred_thousand_questions_is_no_shard_that_is_lost_whole():
    shards = cut_shards(questions([100_000, 3]))
    assert max(map(cost_of, shards)) <= LARGEST_COST
    assert len(shards) == math.ceil(100_000 / MOST_OF_AN_IMAGE)
    assert len({q.id for shard in shards for q in shard.questions}) == 100_003
    assert shards == cut_shards(reversed(questions([100_000, 3])))


def test_nothing_to_ask_needs_no_shard():
    assert cut_shards([]) == []
