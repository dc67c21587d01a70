"""Who is handed which pair, in which order, and what becomes of decisions."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing
from itertools import pairwise

import pytest

from curator.ledger.database.plain import reading
from curator.ledger.errors import LedgerBusy
from curator.ledger.records.review import Decision, PairFilter, PairKey, Place
from curator.ledger.reviews.candidates import POSITION, Draw, Order
from curator.ledger.reviews.decisions import LEASE_S
from curator.review.desk import Desk
from curator.review.sitting import NoSuchPair, Said, Sitting
from shared.questions.types import question_type
from tests.curator.review.ledgers import Row, change, filled_ledger

QUESTIONS = ("What is the color of it?", "How many are shown?", "Is it lit?")
ROWS = [
    Row(
        item,
        QUESTIONS[number],
        f"answer{item}",
        "disagrees" if item % 5 == 0 else "unknown",
        "another" if item % 4 == number else None,
    )
    for item in range(1, 21)
    for number in range(3)
]
WANTED, PLACE = PairFilter(1), Place()


@pytest.fixture
def path(tmp_path):
    return filled_ledger(tmp_path / "l.db", ROWS)


@pytest.fixture
def sit(path, clock):
    return lambda **draw: Sitting(Desk(path), clock, Draw(**draw))


async def keys(sitting, reviewer, count=1, order=Order.RANDOM, wanted=WANTED):
    pairs = await sitting.hand_out(wanted, order, reviewer, count)
    return [pair.key for pair in pairs]


async def say(sitting, reviewer, key, decision=Decision.ACCEPTED, **more):
    return await sitting.decide(1, key, Said(reviewer, decision, **more))


async def judged(sitting, reviewer, order=Order.RANDOM, wanted=WANTED) -> list[PairKey]:
    """Accept all that one person is handed."""
    done = []
    while waiting := await keys(sitting, reviewer, 1, order, wanted):
        await say(sitting, reviewer, waiting[0])
        done += waiting
    return done


async def test_several_people_look_at_everything_and_at_nothing_twice(sit):
    sitting, seen = sit(), Counter()

    async def work(name):
        while waiting := await keys(sitting, name, 2):
            for key in waiting:
                seen[key] += 1
                await say(sitting, name, key)

    await asyncio.gather(*(work(name) for name in ("Ada", "Bo", "Cy")))
    assert len(seen) == 60
    assert set(seen.values()) == {1}


async def test_what_one_holds_another_is_handed_only_when_the_lease_is_over(sit, clock):
    sitting, other_page = sit(), sit()
    first = await keys(sitting, "Ada", 3)
    # Another process on the same ledger keeps to it as well.
    assert not set(first) & set(await keys(other_page, "Bo", 3))
    assert await keys(sitting, "Ada", 3) == first
    clock.time += LEASE_S + 1
    assert await keys(sitting, "Cy", 3) == first
    # What was decided too late is kept all the same.
    await say(sitting, "Ada", first[0])
    assert first[0] not in await keys(sitting, "Di", 20)


async def test_nothing_is_handed_out_twice_at_once_where_little_is_left(sit):
    wanted = PairFilter(1, answer="answer20")
    sitting = sit()
    first = await keys(sitting, "Ada", 5, wanted=wanted)
    assert len(set(first)) == len(first) == 3
    assert await keys(sitting, "Ada", 5, wanted=wanted) == first


async def test_who_leaves_gives_back_what_they_held(sit):
    sitting = sit()
    first = await keys(sitting, "Ada", 3)
    await sitting.leave("Ada")
    assert await keys(sitting, "Bo", 3) == first


async def test_a_share_is_looked_at_by_two_people_and_no_more(sit):
    sitting, seen = sit(double=0.4), Counter()
    for name in ("Ada", "Bo", "Cy"):
        seen.update(await judged(sitting, name))
    assert len(seen) == 60
    assert set(seen.values()) == {1, 2}
    assert 12 <= sum(count == 2 for count in seen.values()) <= 36


async def test_what_is_skipped_goes_to_others_alone(sit):
    sitting = sit()
    [key] = await keys(sitting, "Ada")
    await say(sitting, "Ada", key, Decision.SKIPPED)
    assert key not in await judged(sitting, "Ada")
    assert await judged(sitting, "Bo") == [key]


async def test_undo_brings_the_pair_back_and_can_be_repeated(sit, clock):
    sitting = sit()
    first, second = await keys(sitting, "Ada", 2)
    for key in (first, second):
        clock.time += 1
        await say(sitting, "Ada", key, Decision.REJECTED, reason="unclear_question")
    for key in (second, first):
        review, pair = await sitting.take_back("Ada", 1)
        assert (review.key, review.reason, pair.key) == (key, "unclear_question", key)
    assert await sitting.take_back("Ada", 1) is None
    assert await keys(sitting, "Ada", 2) == [first, second]
    assert not {first, second} & set(await keys(sitting, "Bo", 9))


async def test_undo_leaves_what_the_campaign_does_not_have(tmp_path, clock):
    row = Row(1, QUESTIONS[0], "red")
    rows = [row, Row(2, QUESTIONS[0], "blue"), Row(1, QUESTIONS[0], "green", campaign=2)]
    sitting = Sitting(Desk(filled_ledger(tmp_path / "l.db", rows)), clock, Draw())
    for answer in ("red", "blue"):
        clock.time += 1
        await say(sitting, "Ada", PairKey(1 + (answer == "blue"), QUESTIONS[0], answer))
    assert await sitting.take_back("Ada", 2) is None
    # The second one was judged away meanwhile.
    change(tmp_path / "l.db", "DELETE FROM pairs WHERE answer = 'blue'")
    review, pair = await sitting.take_back("Ada", 1)
    assert review.key == pair.key == PairKey(1, QUESTIONS[0], "red")
    with reading(tmp_path / "l.db") as connection:
        rows = connection.execute("SELECT answer FROM reviews").fetchall()
    assert [tuple(row) for row in rows] == [("blue",)]


async def test_the_random_order_is_the_seeds_and_begins_anew_where_it_was(sit):
    orders = {seed: await keys(sit(seed=seed), f"n{seed}", 20) for seed in (1, 2, 3)}
    assert len({tuple(order) for order in orders.values()}) == 3
    sitting = sit(seed=9)
    first = await keys(sitting, "Ada", 10)
    for key in first[:4]:
        await say(sitting, "Ada", key)
    assert await keys(sit(seed=9), "Ada", 6) == first[4:]


def test_positions_at_random_are_spread_evenly_whatever_the_seed(tmp_path):
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE pairs (item_id, position)")
        database.executemany(
            "INSERT INTO pairs VALUES (?, ?)",
            ((item, number) for item in range(1, 20_001) for number in range(5)),
        )
        firsts = []
        for seed in (0, 1, 2, 77, 2**31 - 2):
            rows = database.execute(f"SELECT {POSITION} FROM pairs AS p", {"seed": seed})
            positions = [position for (position,) in rows]
            assert min(positions) >= 0
            assert max(positions) < 1
            tenths = Counter(int(at * 10) for at in positions)
            # Chi-square with 9 degrees of freedom: 27.9 is passed once in a thousand.
            assert sum((tenths[each] - 10_000) ** 2 / 10_000 for each in range(10)) < 27.9
            # Neighbours are independent: the pairs of an image do not come together.
            steps = Counter((int(a * 3), int(b * 3)) for a, b in pairwise(positions))
            expected = (len(positions) - 1) / 9
            assert sum((count - expected) ** 2 / expected for count in steps.values()) < 26.1
            firsts.append(min(range(len(positions)), key=positions.__getitem__))
    assert len(set(firsts)) == 5


async def test_orders_bring_what_they_name(sit):
    by_key = {PairKey(row.item, row.question, row.answer): row for row in ROWS}
    disagreeing = {key for key, row in by_key.items() if row.opinion is not None}
    listing = {key for key, row in by_key.items() if row.agreement == "disagrees"}
    assert set(await judged(sit(), "Ada", Order.DISAGREEMENT)) == disagreeing
    least = await keys(sit(double=1), "Bo", 60, Order.AGREEMENT)
    both = disagreeing & listing
    assert both
    assert set(least) == disagreeing | listing
    assert set(least[: len(both)]) == both
    turns = await keys(sit(double=1), "Cy", 30, Order.TYPE)
    assert len({question_type(key.question) for key in turns[:3]}) == 3
    assert len({question_type(key.question) for key in turns[27:]}) == 3


async def test_a_filter_chooses_what_is_handed_out(sit):
    wanted = PairFilter(1, kind="count", agreement="disagrees")
    handed = await judged(sit(), "Ada", wanted=wanted)
    assert {key.item_id for key in handed} == {5, 10, 15, 20}
    assert {key.question for key in handed} == {QUESTIONS[1]}


async def test_pairs_that_a_run_adds_are_handed_out_too(sit, path):
    sitting = sit()
    assert len(await judged(sitting, "Ada")) == 60
    change(
        path,
        "INSERT INTO pairs VALUES (1, 20, 7, 'What is new?', 'this', '', '', 1, '', NULL)",
    )
    assert [key.answer for key in await judged(sitting, "Ada")] == ["this"]


async def test_a_pair_that_was_judged_away_is_not_handed_out(sit, path):
    sitting = sit()
    first = await keys(sitting, "Ada", 5)
    await say(sitting, "Ada", first[0])
    change(path, "DELETE FROM pairs WHERE item_id = ?", first[1].item_id)
    again = await keys(sitting, "Ada", 5)
    assert first[1].item_id not in {key.item_id for key in again}
    assert len(again) == 5


async def test_a_verdict_belongs_to_image_question_and_answer(sit, path):
    sitting = sit()
    [key] = await keys(sitting, "Ada")
    await say(sitting, "Ada", key, Decision.CORRECTED, correction="  dark   red ")
    change(path, "DELETE FROM pairs")
    change(path, "INSERT INTO pairs VALUES (1, ?, 9, ?, ?, '', '', 1, '', NULL)",
           key.item_id, key.question, key.answer)  # fmt: skip
    change(path, "INSERT INTO pairs VALUES (1, ?, 8, ?, 'other', '', '', 1, '', NULL)",
           key.item_id, key.question)  # fmt: skip
    page = await sitting.desk.page(WANTED, after=PLACE, limit=9)
    told = {pair.answer: [review.correction for review in pair.reviews] for pair in page.pairs}
    assert told == {key.answer: ["dark red"], "other": []}


async def test_a_second_verdict_of_one_person_replaces_the_first(sit, path):
    sitting = sit()
    [key] = await keys(sitting, "Ada")
    await say(sitting, "Ada", key)
    await say(sitting, "Ada", key, Decision.REJECTED, reason="unfit")
    with reading(path) as connection:
        rows = connection.execute("SELECT decision, drawn FROM reviews").fetchall()
    assert [tuple(row) for row in rows] == [("rejected", "chosen")]


async def test_an_image_that_is_not_there_gets_no_verdict(sit):
    with pytest.raises(NoSuchPair):
        await say(sit(), "Ada", PairKey(999, "Q?", "a"))


async def test_a_ledger_that_another_process_writes_is_told_and_nothing_is_lost(path, clock):
    sitting = Sitting(Desk(path, busy_s=0.05), clock, Draw())
    [key] = await keys(sitting, "Ada")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerBusy):
            await say(sitting, "Ada", key)
        # Whoever only looks is not kept waiting.
        assert len((await sitting.desk.page(WANTED, PLACE, 9)).pairs) == 9
        other.execute("COMMIT")
    await say(sitting, "Ada", key)
    assert key not in await keys(sitting, "Ada", 60)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (Said("Ada", Decision.ACCEPTED), ""),
        (Said("Ada", Decision.SKIPPED), ""),
        (Said("Ada", Decision.REJECTED), "reason"),
        (Said("Ada", Decision.REJECTED, reason="odd"), ""),
        (Said("Ada", Decision.CORRECTED), "correction"),
        (Said("Ada", Decision.CORRECTED, correction=" !? "), "correction"),
        (Said("Ada", Decision.CORRECTED, correction="RED."), "accept it"),
        (Said("Ada", Decision.CORRECTED, correction="blue"), ""),
    ],
)
def test_what_is_no_decision_is_told(said, wanted):
    complaint = said.complaint_about("red")
    assert wanted in complaint
    assert bool(complaint) == bool(wanted)
