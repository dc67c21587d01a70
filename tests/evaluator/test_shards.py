"""Shards hold whole images and do not depend on the order of rows."""

import random

from hypothesis import given
from hypothesis import strategies as st

from evaluator.shards import IMAGE_COST, cut_shards
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


@given(counts=COUNTS, cost=st.floats(1, 100))
def test_no_shard_costs_more_than_asked_unless_one_image_does(counts, cost):
    for shard in cut_shards(questions(counts), cost):
        images = {question.filename for question in shard.questions}
        assert len(images) == 1 or len(images) * IMAGE_COST + len(shard.questions) <= cost + 1e-9


def test_nothing_to_ask_needs_no_shard():
    assert cut_shards([]) == []
