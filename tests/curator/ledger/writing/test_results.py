"""What requests leave is written whole, or not at all."""

from __future__ import annotations

import asyncio

import pytest

from curator.ledger import (
    LedgerFailure,
    TokenUse,
)
from tests.curator.ledger.ledgers import (
    answered,
    attempt,
    enrolled,
    kept_pairs,
)


async def test_a_result_is_written_whole(ledger, tmp_path):
    campaign_id = await enrolled(ledger, 2)
    item, other = await ledger.pending(campaign_id, 0, 10)
    begun = attempt(ledger, campaign_id, item.item_id)
    await ledger.begin(begun)
    await ledger.finish(answered(begun))
    assert await ledger.pending(campaign_id, 0, 10) == [other]
    [item] = await ledger.pages.replied_items(campaign_id, [begun.attempt_id])
    assert [reply.body for reply in item.replies] == ['{"raw": "reply"}']
    (report,) = await ledger.reports(10.0)
    assert (report.progress.done, report.progress.pending, report.pairs) == (1, 1, 2)
    assert report.rejected == {"answer_in_question": 1}
    assert report.tokens == TokenUse(90, 40, 3, cached=20, images=60)
    pairs = kept_pairs(tmp_path / "l.db", campaign_id)
    assert [(pair.question, pair.answer, pair.difficulty) for pair in pairs] == [
        ("What is the colour of it?", "red", "easy"),
        ("What is it made of?", "wood", "hard"),
    ]
    assert {(pair.filename, pair.listing_id) for pair in pairs} == {("0.jpg", "L0")}
    assert {pair.agreement for pair in pairs} == {"unknown"}


async def test_a_second_result_for_a_finished_item_changes_nothing(ledger, tmp_path):
    campaign_id = await enrolled(ledger, 1)
    first, second = (attempt(ledger, campaign_id, 1) for _ in range(2))
    await asyncio.gather(ledger.begin(first), ledger.begin(second))
    await ledger.finish(answered(first))
    with pytest.raises(LedgerFailure, match="UNIQUE"):
        await ledger.finish(answered(second))
    (report,) = await ledger.reports(10.0)
    assert report.pairs == 2


async def test_many_results_share_transactions(ledger):
    campaign_id = await enrolled(ledger, 500)
    items = await ledger.pending(campaign_id, 0, 1000)

    async def work(item_id: int) -> None:
        begun = attempt(ledger, campaign_id, item_id)
        await ledger.begin(begun)
        await ledger.finish(answered(begun))

    await asyncio.gather(*(work(item.item_id) for item in items))
    (report,) = await ledger.reports(10.0)
    assert (report.progress.done, report.pairs) == (500, 1000)


async def test_an_attempt_that_was_not_sent_is_withdrawn_and_counts_nowhere(ledger):
    campaign_id = await enrolled(ledger, 1)
    begun = attempt(ledger, campaign_id, 1)
    await ledger.begin(begun)
    assert (await ledger.project_use(["gemini-x"], 6.0))["p", "gemini-x"].today == 1
    await ledger.withdraw(begun)
    assert await ledger.project_use(["gemini-x"], 6.0) == {}
    (report,) = await ledger.reports(10.0)
    assert report.outcomes == {}
