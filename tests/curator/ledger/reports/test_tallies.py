"""Tallies are what counting the rows gives, after whatever change."""

from __future__ import annotations

from curator.judging.rules import validate
from curator.ledger import (
    ItemChange,
    OpinionChange,
    OpinionCounts,
    Outcome,
    Result,
    WorkState,
)
from tests.curator.ledger.ledgers import (
    DRAFTS,
    answered,
    attempt,
    enrolled,
    tallied,
)


async def test_tallies_are_what_counting_would_give(tmp_path, ledger):
    path = tmp_path / "l.db"
    campaign_id = await enrolled(ledger, 3)
    for item in (1, 2):
        begun = attempt(ledger, campaign_id, item)
        await ledger.begin(begun)
        await ledger.finish(answered(begun))
    dead = ItemChange(campaign_id, 3, WorkState.DEAD, 5, "unreadable")
    await ledger.finish(Result(None, 7.0, Outcome.BAD_REQUEST, change=dead))
    assert tallied(path)[0] == {(campaign_id, 1, 2), (campaign_id, 2, 1)}
    await ledger.choose_pairs(campaign_id, 0.5)
    tallied(path)
    counts = await ledger.choose_pairs(campaign_id, 1.0)
    assert (counts.waiting, counts.chosen) == (4, 4)
    question = DRAFTS[0].question
    for item, agrees in ((1, True), (2, False)):
        change = OpinionChange(campaign_id, item, question, WorkState.DONE, 0, "", "red", agrees)
        await ledger.finish(Result(None, 8.0, Outcome.ANSWERED, change=change))
    given_up = OpinionChange(campaign_id, 2, DRAFTS[2].question, WorkState.DEAD, 3, "no answer")
    await ledger.finish(Result(None, 8.0, Outcome.UNUSABLE, change=given_up))
    (report,) = await ledger.reports(10.0)
    assert report.opinions == OpinionCounts(waiting=1, agrees=1, disagrees=1, given_up=1)
    done = ItemChange(campaign_id, 1, WorkState.DONE, 0)
    for drafts, left in ((DRAFTS[1:], 0), (DRAFTS, 1)):
        again = validate(drafts, answer_words=1)
        await ledger.replace_pairs([Result(1, 9.0, Outcome.ANSWERED, change=done, verdict=again)])
        (report,) = await ledger.reports(10.0)
        assert report.opinions == OpinionCounts(waiting=1, agrees=left, disagrees=1, given_up=1)
        tallied(path)
    await ledger.retry_dead(campaign_id)
    await ledger.choose_pairs(campaign_id, 0.0)
    assert tallied(path)[:2] == [
        {(campaign_id, 0, 1), (campaign_id, 1, 2)},
        {(campaign_id, 1, 0, 1), (campaign_id, 1, 1, 1)},
    ]
