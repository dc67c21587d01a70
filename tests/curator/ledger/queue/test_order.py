"""A campaign's queue has an order, and keeps it."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from curator.ledger import (
    Campaign,
    Ledger,
    Progress,
)
from curator.ledger.queue import campaigns, opinions
from shared.endpoints.keys.asked_model import AskedModel
from tests.curator.ledger.ledgers import (
    CAMPAIGN,
    enrolled,
    listings,
    steps_of,
)


async def places(ledger: Ledger, campaign_id: int) -> list[str]:
    return [item.listing.listing_id for item in await ledger.pending(campaign_id, 0, 1000)]


async def test_another_prompt_is_another_campaign(ledger):
    first = await enrolled(ledger, 2)
    second = await ledger.enrol(Campaign((AskedModel("gemini-x"),), "2-def", 3), 2.0)
    assert first != second
    assert len(await ledger.pending(second, 0, 10)) == 2


async def test_the_catalogue_gives_the_order_and_a_seed_another(ledger):
    plain = await enrolled(ledger, 40)
    assert await places(ledger, plain) == [f"L{n}" for n in range(40)]
    seeded = await ledger.enrol(
        Campaign((AskedModel("gemini-x"),), "other", 3), 1.0, shuffle_seed=7
    )
    shuffled = await places(ledger, seeded)
    assert shuffled != await places(ledger, plain)
    assert sorted(shuffled) == sorted(await places(ledger, plain))
    assert await ledger.enrol(CAMPAIGN, 2.0, shuffle_seed=7) == plain
    assert await places(ledger, plain) == shuffled
    await ledger.enrol(CAMPAIGN, 2.0, shuffle_seed=8)
    assert await places(ledger, plain) != shuffled


async def test_a_shuffled_order_stays_and_new_listings_queue_behind(ledger):
    await ledger.add_catalog("src", "f1", "images", listings(40), 1.0)
    campaign_id = await ledger.enrol(CAMPAIGN, 1.0, shuffle_seed=7)
    before = await places(ledger, campaign_id)
    await ledger.add_catalog("src", "f2", "images", listings(60), 2.0)
    await ledger.enrol(CAMPAIGN, 2.0)
    after = await places(ledger, campaign_id)
    assert after[:40] == before
    assert sorted(after[40:]) == [f"L{n}" for n in range(40, 60)] != after[40:]


async def test_many_are_counted_at_once_and_further_ones_one_by_one(ledger, tmp_path):
    campaign_id = await enrolled(ledger, 10_000)
    assert await ledger.progress(campaign_id) == Progress(10_000, 0, 0)
    await ledger.add_catalog("src", "f2", "images", listings(10_003), 2.0)
    await ledger.enrol(CAMPAIGN, 2.0)
    assert await ledger.progress(campaign_id) == Progress(10_003, 0, 0)
    with closing(sqlite3.connect(tmp_path / "l.db")) as database:
        counted = "SELECT state, count(*) FROM work GROUP BY state"
        tallied = "SELECT state, items FROM work_tallies"
        assert database.execute(tallied).fetchall() == database.execute(counted).fetchall()


async def test_second_opinions_are_found_without_going_through_all_pairs(ledger, tmp_path):
    campaign_id = await enrolled(ledger, 2)
    steps = steps_of(tmp_path / "l.db", opinions.waiting, campaign_id, (0, ""), 10)
    of_pairs = [step for step in steps if " pairs " in step]
    assert len(of_pairs) == 2
    assert [step for step in of_pairs if "item_id=?" not in step] == []


async def test_what_waits_is_found_by_its_index(ledger, tmp_path):
    campaign_id = await enrolled(ledger, 2)
    steps = steps_of(tmp_path / "l.db", campaigns.waiting, campaign_id, 0, 10)
    assert "work_by_state" in steps[0]
    # The items of a page, whose further pictures are looked up.
    assert [step[:14] for step in steps if step.startswith("SCAN")] == ["SCAN json_each"]
    assert any("work_along" in step for step in steps)
