"""``curator run --dry-run``: time and money beforehand, nothing sent, nothing written."""

from __future__ import annotations

import shlex

from tests.curator.campaigns import PICTURES, ended


async def test_a_dry_run_sends_and_writes_nothing_and_says_what_it_would(stage) -> None:
    campaign = await stage()
    before = {path.name for path in campaign.folder.iterdir()}
    told = await ended(await campaign.start("--dry-run", "--budget-usd", "2", "--limit", "5"))
    assert told.code == 0, told.err
    assert campaign.requests == 0
    assert {path.name for path in campaign.folder.iterdir()} == before
    assert f"{campaign.ledger}: would be made" in told.out
    assert "it would stop before it costs more than 2 US dollars" in told.out
    assert told.out.splitlines()[-1] == "dry run: nothing was sent or written"
    words = shlex.split(told.err.splitlines()[-1])
    assert words[:3] == ["next:", "curator", "run"]
    assert "--dry-run" not in words
    assert words[words.index("--limit") + 1] == "5"


async def test_a_dry_run_of_a_campaign_that_began_says_how_far_it_is(stage) -> None:
    campaign = await stage()
    assert (await campaign.run(limit=5)).code == 0
    asked, kept = campaign.requests, campaign.pairs()
    told = await ended(await campaign.start("--dry-run"))
    assert told.code == 0, told.err
    assert f"campaign 1 has 5 of {PICTURES} images done" in told.out
    assert (campaign.requests, campaign.pairs()) == (asked, kept)


async def test_a_dry_run_refuses_what_a_run_refuses(stage) -> None:
    campaign = await stage()
    told = await ended(await campaign.start("--dry-run", "--status", "nowhere"))
    assert (told.code, told.out) == (2, "")
    assert "HOST:PORT" in told.err
