"""Which images and questions are asked again each day, once for each model, and what is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from curator.ledger import (
    CanaryChange,
    CanaryDay,
    CanaryItem,
    Ledger,
    Outcome,
    Result,
    WorkState,
)
from tests.curator.ledger.ledgers import answered, attempt, enrolled, tallied

MODEL = "gemini-x"


async def answer_all(ledger: Ledger, campaign_id: int) -> None:
    for item in await ledger.pending(campaign_id, 0, 100):
        begun = attempt(ledger, campaign_id, item.item_id)
        await ledger.begin(begun)
        await ledger.finish(answered(begun))


async def settle(
    ledger: Ledger, canary: CanaryItem, answer: str, state: WorkState = WorkState.DONE
) -> None:
    begun = replace(
        attempt(ledger, 1, canary.item_id), question=canary.question, canary_day=canary.day
    )
    await ledger.begin(begun)
    first = canary.first_answer
    change = CanaryChange(
        1, canary.item_id, canary.model, canary.day, canary.question, state, 0, answer=answer,
        is_equal=None if first is None or state is WorkState.DEAD else first == answer,
    )  # fmt: skip
    await ledger.finish(
        Result(
            begun.attempt_id, 7.0, Outcome.ANSWERED, reply="{}", change=change, model_version="x-1"
        )
    )


@pytest.fixture
async def campaign(ledger):
    campaign_id = await enrolled(ledger, 30)
    await answer_all(ledger, campaign_id)
    return campaign_id


async def test_the_same_images_are_asked_about_whatever_came_first(ledger):
    campaign_id = await enrolled(ledger, 30)
    first = await ledger.first_canaries(campaign_id, 5)
    assert await ledger.choose_canaries(campaign_id, 5) == 0
    await answer_all(ledger, campaign_id)
    assert await ledger.choose_canaries(campaign_id, 5) == 5
    chosen = await ledger.waiting_canaries(campaign_id, MODEL, "2026-01-01", 5)
    assert {item.item_id for item in chosen} == {item.item_id for item in first}
    assert [item.item_id for item in first] != sorted(item.item_id for item in first)
    assert await ledger.first_canaries(campaign_id, 5) == []


async def test_more_canaries_hold_the_fewer_and_fewer_are_the_first_of_them(ledger, campaign):
    await ledger.choose_canaries(campaign, 5)
    five = await ledger.waiting_canaries(campaign, MODEL, "2026-01-01", 5)
    assert await ledger.choose_canaries(campaign, 9) == 9
    nine = await ledger.waiting_canaries(campaign, MODEL, "2026-01-01", 9)
    assert (len(five), nine[:5]) == (5, five)
    assert await ledger.choose_canaries(campaign, 3) == 3
    assert await ledger.waiting_canaries(campaign, MODEL, "2026-01-01", 3) == five[:3]
    # An image has one question, of those that were kept.
    assert len({item.item_id for item in nine}) == 9
    assert {item.question for item in nine} <= {"What is the colour of it?", "What is it made of?"}


async def test_each_is_asked_once_a_day_of_each_model_and_compared_with_the_first(ledger, campaign):
    await ledger.choose_canaries(campaign, 4)
    for day, words in (("2026-01-01", "abcd"), ("2026-01-02", "abxd"), ("2026-01-03", "abcd")):
        waiting = await ledger.waiting_canaries(campaign, MODEL, day, 4)
        assert len(waiting) == 4
        for canary, word in zip(waiting, words, strict=True):
            await settle(ledger, canary, word)
        assert await ledger.waiting_canaries(campaign, MODEL, day, 4) == []
        assert len(await ledger.waiting_canaries(campaign, "another", day, 4)) == 4
    all_equal = {canary.item_id: True for canary in waiting}
    assert await ledger.canary_days(campaign) == (
        CanaryDay(MODEL, "2026-01-01", 4, 4, {}, "x-1"),
        CanaryDay(MODEL, "2026-01-02", 4, 4, all_equal | {waiting[2].item_id: False}, "x-1"),
        CanaryDay(MODEL, "2026-01-03", 4, 4, all_equal, "x-1"),
    )
    (report,) = await ledger.reports(10.0)
    assert report.canary_days == await ledger.canary_days(campaign)
    assert report.canary_requests == 12


async def test_what_had_no_answer_at_first_is_compared_with_the_first_it_has(ledger, campaign):
    await ledger.choose_canaries(campaign, 1)
    days = ("2026-01-01", "2026-01-02", "2026-01-03")
    (canary,) = await ledger.waiting_canaries(campaign, MODEL, days[0], 1)
    await settle(ledger, canary, "", WorkState.DEAD)
    for day, first in ((days[1], None), (days[2], "red")):
        (canary,) = await ledger.waiting_canaries(campaign, MODEL, day, 1)
        assert canary.first_answer == first
        await settle(ledger, canary, "red")
    told = await ledger.canary_days(campaign)
    assert [(day.asked, day.answered, len(day.equal)) for day in told] == [
        (1, 0, 0), (1, 1, 0), (1, 1, 1),
    ]  # fmt: skip


async def test_canaries_change_neither_pairs_nor_what_stands_of_images(ledger, campaign, tmp_path):
    before, pairs = await ledger.reports(10.0), await ledger.pages.newest(campaign, 12)
    await ledger.choose_canaries(campaign, 4)
    for canary in await ledger.waiting_canaries(campaign, MODEL, "2026-01-01", 4):
        await settle(ledger, canary, "other")
    (after,) = await ledger.reports(10.0)
    assert (after.pairs, after.progress, after.replies) == (
        before[0].pairs, before[0].progress, before[0].replies,
    )  # fmt: skip
    assert await ledger.pages.newest(campaign, 12) == pairs
    # Nor are they second opinions, should the same question wait for one.
    await ledger.choose_pairs(campaign, 1.0)
    assert await ledger.pages.replied_pairs(campaign, 0, 100) == []
    tallied(tmp_path / "l.db")
