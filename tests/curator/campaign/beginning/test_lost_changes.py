"""The newest changes of a ledger are gone, or an older copy lies in its place: the log knows."""

from __future__ import annotations

import shutil
import signal

import pytest

from tests.curator.campaigns import PICTURES, ended, until_requests
from tests.curator.ledger.ledgers import tallied


def beside(campaign, suffix):
    return campaign.ledger.with_name(campaign.ledger.name + suffix)


@pytest.mark.slow
async def test_replies_that_went_with_the_write_ahead_log_are_taken_from_the_log(stage):
    campaign = await stage(latency={"mean_ms": 150})
    process = await campaign.start()
    await until_requests(campaign, 8)
    process.send_signal(signal.SIGKILL)
    await ended(process)
    assert beside(campaign, "-wal").stat().st_size
    beside(campaign, "-wal").unlink()
    beside(campaign, "-shm").unlink()
    result = await campaign.run()
    assert result.code == 0, result.err
    assert result.err.count("replies_taken_from_log") == 1
    # Again only what was in flight as it was killed, and what its log had not written yet.
    assert campaign.requests <= PICTURES + 4
    assert len(campaign.pairs()) == len(set(campaign.pairs())) == 3 * PICTURES
    tallied(campaign.ledger)


async def test_a_copy_goes_on_where_its_ledger_was(stage):
    campaign = await stage()
    assert (await campaign.run(limit=3)).code == 0
    shutil.copy(campaign.ledger, campaign.folder / "copy")
    assert (await campaign.run(limit=9)).code == 0
    wanted = set(campaign.pairs())
    shutil.copy(campaign.folder / "copy", campaign.ledger)
    again = await campaign.run()
    assert again.code == 0, again.err
    assert campaign.requests == PICTURES
    assert wanted <= set(campaign.pairs())
    assert "replies=6" in again.err
    # And no run finds anything to be taken in after that.
    assert "replies_taken_from_log" not in (await campaign.run()).err
    tallied(campaign.ledger)


async def test_without_the_log_a_copy_asks_again_what_it_lacks(stage):
    campaign = await stage()
    assert (await campaign.run(limit=3)).code == 0
    shutil.copy(campaign.ledger, campaign.folder / "copy")
    assert (await campaign.run(limit=9)).code == 0
    shutil.copy(campaign.folder / "copy", campaign.ledger)
    beside(campaign, ".log.jsonl").unlink()
    assert (await campaign.run()).code == 0
    assert campaign.requests == PICTURES + 6


async def test_replies_to_other_prompts_are_none_of_a_campaign(stage):
    campaign = await stage()
    assert (await campaign.run(limit=3)).code == 0
    shutil.copy(campaign.ledger, campaign.folder / "copy")
    assert (await campaign.run(limit=9)).code == 0
    shutil.copy(campaign.folder / "copy", campaign.ledger)
    assert (await campaign.run(questions=2)).code == 0
    assert campaign.requests == 9 + PICTURES
