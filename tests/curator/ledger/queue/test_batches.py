"""What a batch job holds is handed out to nobody else until it is settled, whatever happens."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from curator.annotators.batch.job_state import JobState
from curator.ledger import BatchJob, BatchRequest, ItemChange, Outcome, Result, WorkState
from curator.ledger.records.requests import Attempt
from shared.endpoints.models.asked_settings import AskedSettings
from shared.endpoints.models.tier import Tier
from shared.endpoints.request import Measure
from tests.curator.ledger.ledgers import answered, attempt, enrolled


def job(campaign_id: int, job_id: int, requests: int, at: float = 5.0) -> BatchJob:
    return BatchJob(job_id, campaign_id, f"job-{job_id}", "fp", "p", "gemini-x", requests, at, at)


def batch_attempt(ledger, campaign_id: int, item_id: int, question: str | None = None) -> Attempt:
    return replace(
        attempt(ledger, campaign_id, item_id),
        question=question,
        tier=Tier.BATCH,
        measure=Measure(1_200, 512, 0 if question else 3),
        settings=AskedSettings("low", "high"),
    )


async def begun(ledger, campaign_id: int, *item_ids: int, question: str | None = None):
    made = job(campaign_id, ledger.batches.new_job_id(), len(item_ids))
    attempts = [batch_attempt(ledger, campaign_id, item_id, question) for item_id in item_ids]
    requests = [
        BatchRequest(
            each.attempt_id,
            made.job_id,
            campaign_id,
            each.item_id,
            question,
            f"id{each.attempt_id}",
        )
        for each in attempts
    ]
    await ledger.batches.begin(made, attempts, requests)
    return made, attempts


async def waiting(ledger, campaign_id: int) -> list[int]:
    return [item.item_id for item in await ledger.pending(campaign_id, 0, 100)]


async def test_images_of_a_job_wait_for_it_alone(ledger):
    campaign_id = await enrolled(ledger, 5)
    made, (first, second) = await begun(ledger, campaign_id, 2, 4)
    assert await waiting(ledger, campaign_id) == [1, 3, 5]
    held = await ledger.batches.held(made)
    assert [request.attempt for request in held] == [first, second]
    assert [(request.about.item_id, request.about.rank) for request in held] == [(2, 2), (4, 4)]
    assert held[0].about.listing.metadata == {"item_name": "thing 1"}
    await ledger.finish(replace(answered(first), tier=Tier.BATCH))
    useless = ItemChange(campaign_id, 4, WorkState.PENDING, 1, "nonsense")
    await ledger.finish(
        Result(second.attempt_id, 7.0, Outcome.UNUSABLE, change=useless, tier=Tier.BATCH)
    )
    assert await ledger.batches.held(made) == []
    assert await waiting(ledger, campaign_id) == [1, 3, 4, 5]


async def test_a_job_that_was_never_made_leaves_no_trace_of_requests(ledger):
    campaign_id = await enrolled(ledger, 3)
    made, attempts = await begun(ledger, campaign_id, 1, 2)
    refused = replace(made, state=JobState.REFUSED, error="no quota", ended_at=6.0)
    await ledger.batches.withdraw(refused, [each.attempt_id for each in attempts])
    assert await waiting(ledger, campaign_id) == [1, 2, 3]
    (report,) = await ledger.reports(6.0)
    assert report.outcomes == {}
    assert report.batches.jobs == {"refused": 1}
    assert await ledger.batches.unsettled(campaign_id) == []


async def test_a_question_that_a_job_holds_is_asked_by_nobody_else_about_that_image(ledger):
    campaign_id = await enrolled(ledger, 2)
    for item_id in (1, 2):
        await ledger.begin(begin := attempt(ledger, campaign_id, item_id))
        await ledger.finish(answered(begin))
    await ledger.choose_pairs(campaign_id, 1.0)
    pairs = await ledger.waiting_pairs(campaign_id, (0, ""), 10)
    assert len(pairs) == 4
    made, _ = await begun(ledger, campaign_id, 1, question=pairs[0].question)
    assert await ledger.waiting_pairs(campaign_id, (0, ""), 10) == pairs[1:]
    (held,) = await ledger.batches.held(made)
    assert (held.about, held.is_wanted) == (pairs[0], True)
    # A pair that is not there any more is nothing to ask about.
    with closing(sqlite3.connect(ledger._file._path)) as database, database:
        database.execute("DELETE FROM pairs")
    (held,) = await ledger.batches.held(made)
    assert not held.is_wanted


async def test_an_image_that_was_settled_otherwise_is_not_asked_about_any_more(ledger):
    campaign_id = await enrolled(ledger, 1)
    await ledger.begin(begin := attempt(ledger, campaign_id, 1))
    made, _ = await begun(ledger, campaign_id, 1)
    # As judging kept replies again does, between two runs.
    await ledger.finish(answered(begin))
    (held,) = await ledger.batches.held(made)
    assert not held.is_wanted


async def test_jobs_are_found_until_all_is_settled_and_their_files_until_they_are_deleted(ledger):
    campaign_id = await enrolled(ledger, 3)
    made, (first,) = await begun(ledger, campaign_id, 1)
    for state in (JobState.WAITING, JobState.RUNNING, JobState.SUCCEEDED):
        made = replace(made, state=state, file_name="files/in", results_file="files/out")
        await ledger.batches.put(made)
        assert await ledger.batches.unsettled(campaign_id) == [made]
        assert await ledger.batches.with_files(campaign_id) == []
    await ledger.finish(replace(answered(first), tier=Tier.BATCH))
    assert await ledger.batches.unsettled(campaign_id) == []
    assert await ledger.batches.with_files(campaign_id) == [made]
    assert (await ledger.batches.counts(campaign_id)).files_left == 2
    await ledger.batches.put(replace(made, file_name="", results_file=""))
    assert await ledger.batches.with_files(campaign_id) == []
    assert (await ledger.batches.counts(campaign_id)).files_left == 0


async def test_jobs_and_what_they_hold_are_counted_by_state(ledger):
    campaign_id = await enrolled(ledger, 6)
    first, _ = await begun(ledger, campaign_id, 1, 2, 3)
    await ledger.batches.put(replace(first, state=JobState.RUNNING, created_at=3.0))
    await begun(ledger, campaign_id, 4)
    counts = await ledger.batches.counts(campaign_id)
    assert counts.jobs == {"running": 1, "prepared": 1}
    assert counts.held == {"running": 3, "prepared": 1}
    assert (counts.oldest_at, counts.open_jobs, counts.requests_held) == (3.0, 2, 4)


async def test_requests_of_jobs_do_not_count_against_the_quotas_of_the_others(ledger):
    campaign_id = await enrolled(ledger, 4)
    await begun(ledger, campaign_id, 1, 2)
    await ledger.begin(attempt(ledger, campaign_id, 3))
    use = await ledger.project_use(["gemini-x"], 6.0)
    assert {meter.project: each.today for meter, each in use.items()} == {"p": 1}
    assert [len(each.last_minute) for each in use.values()] == [1]


@pytest.mark.parametrize("tier", Tier)
async def test_an_attempt_keeps_its_tier(ledger, tier):
    campaign_id = await enrolled(ledger, 1)
    await ledger.begin(replace(attempt(ledger, campaign_id, 1), tier=tier))
    with closing(sqlite3.connect(ledger._file._path)) as database:
        assert database.execute("SELECT tier FROM attempts").fetchall() == [(tier.value,)]
