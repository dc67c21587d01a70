"""Whole runs through Google Cloud's door, beside plain keys and alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.endpoints.models.tier import Tier
from tests.curator.campaigns import KEYS, PICTURES, Campaign
from tests.fakes.service_account import write_service_account

FIRST, SECOND = "ya29.first-token-of-the-run", "ya29.second-token-of-the-run"
CLOUD = {"api_key": FIRST, "label": "first", "project": "our-cloud", "enterprise": True}
NEXT = CLOUD | {"api_key": SECOND, "label": "second"}
PLAIN = {"api_key": KEYS[0], "label": "plain", "project": "plain"}
PROJECTS = [{"name": "our-cloud"}, {"name": "plain"}]


def keys_file(campaign: Campaign, *tables: str, account: str = "our-cloud") -> Path:
    """Write a keys file; ACCOUNT stands for a place whose credentials are those of ``account``."""
    write_service_account(campaign.folder / "account.json", campaign.url, account)
    place = 'enterprise = true\nproject = "our-cloud"\ncredentials = "account.json"'
    text = "\n".join(f"[[key]]\n{table.replace('ACCOUNT', place)}" for table in tables)
    path = campaign.folder / "keys.toml"
    path.write_text(text)
    return path


def files_of(campaign: Campaign) -> bytes:
    """All that the run left, but for the account's own file."""
    left = [path for path in campaign.folder.iterdir() if path.name != "account.json"]
    return b"".join(path.read_bytes() for path in left)


async def test_a_pool_of_keys_and_accounts_works_through_a_campaign(stage):
    limited = [{"name": "our-cloud", "rpm": 1000}, {"name": "plain", "rpm": 1000}]
    campaign = await stage(project=limited, key=[CLOUD, NEXT, PLAIN], accept_unlisted_keys=False)
    path = keys_file(
        campaign,
        'ACCOUNT\nlocation = "global"',
        'ACCOUNT\nlocation = "europe-west4"\nlabel = "europe"',
        f'label = "plain"\nproject = "plain"\napi_key = "{KEYS[0]}"',
    )
    ended = await campaign.run(keys=path, concurrency=3)
    assert ended.code == 0, ended.err
    stats = campaign.server.stats()
    assert stats["images"] == {"answered": PICTURES, "repeats": 0} | stats["images"]
    assert stats["keys"]["first"]["requests"] > 0
    assert stats["keys"]["plain"]["requests"] > 0
    status = await campaign.status()
    keys = {key["label"]: key for key in status["keys"]}
    assert set(keys) == {"our-cloud/global", "europe", "plain"}
    assert keys["europe"]["project"] == "our-cloud/europe-west4"
    assert FIRST.encode() not in files_of(campaign) + ended.err.encode()


async def test_a_token_that_expires_in_a_run_is_followed_by_another(stage):
    expiring = CLOUD | {"state": "expired", "valid_for": 4}
    campaign = await stage(project=PROJECTS, key=[expiring, NEXT], accept_unlisted_keys=False)
    ended = await campaign.run(keys=keys_file(campaign, 'ACCOUNT\nlocation = "global"'))
    assert ended.code == 0, ended.err
    outcomes = campaign.server.stats()["keys"]
    assert outcomes["first"]["outcomes"]["answered"] == 4
    assert outcomes["second"]["outcomes"] == {"answered": PICTURES - 4}


async def test_default_credentials_do_as_well(stage, monkeypatch):
    campaign = await stage(project=PROJECTS, key=[CLOUD], accept_unlisted_keys=False)
    path = keys_file(campaign, 'enterprise = true\nproject = "our-cloud"\nlocation = "us"')
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(campaign.folder / "account.json"))
    ended = await campaign.run(keys=path)
    assert ended.code == 0, ended.err
    assert campaign.server.stats()["keys"]["first"]["outcomes"] == {"answered": PICTURES}


async def test_an_account_that_is_revoked_leaves_its_work_to_the_others_and_may_come_back(stage):
    revoked = CLOUD | {"state": "expired", "valid_for": 3}
    campaign = await stage(project=PROJECTS, key=[revoked, PLAIN], accept_unlisted_keys=False)
    path = keys_file(
        campaign,
        'ACCOUNT\nlocation = "global"\nlabel = "ours"',
        f'label = "plain"\nproject = "plain"\napi_key = "{KEYS[0]}"',
    )
    ended = await campaign.run(keys=path, concurrency=1)
    assert ended.code == 0, ended.err
    assert "Key ours failed (no access token of curator@our-cloud" in ended.err
    status = await campaign.status()
    (ours,) = [key for key in status["keys"] if key["label"] == "ours"]
    assert "account not found" in ours["removed_because"]
    # Nothing in its line could tell that it has been mended.
    again = await campaign.run(keys=path, retry_dead=True)
    assert "stays out" not in again.err


async def test_a_run_whose_accounts_get_no_token_asks_nothing(stage):
    campaign = await stage(project=PROJECTS, key=[CLOUD], accept_unlisted_keys=False)
    path = keys_file(campaign, 'ACCOUNT\nlocation = "global"', account="their-cloud")
    ended = await campaign.run(keys=path)
    assert ended.code == 75
    assert "account not found" in ended.err
    assert campaign.requests == 0


@pytest.mark.slow
async def test_beside_accounts_keys_make_the_batch_jobs(stage):
    jobs = {"pending_s": 0, "running_s": 0}
    campaign = await stage(
        project=PROJECTS, key=[CLOUD, PLAIN], accept_unlisted_keys=False, batch=jobs
    )
    path = keys_file(
        campaign,
        'ACCOUNT\nlocation = "global"',
        f'label = "plain"\nproject = "plain"\napi_key = "{KEYS[0]}"',
    )
    ended = await campaign.run(keys=path, tier=Tier.BATCH)
    assert ended.code == 0, ended.err
    stats = campaign.server.stats()
    assert stats["images"]["answered"] == PICTURES
    assert (stats["requests"], stats["batch"]["jobs"]) == (0, {"succeeded": 1})


async def test_accounts_alone_make_no_batch_jobs(stage):
    campaign = await stage(project=PROJECTS, key=[CLOUD, PLAIN], accept_unlisted_keys=False)
    path = keys_file(campaign, 'ACCOUNT\nlocation = "global"')
    ended = await campaign.run(keys=path, tier=Tier.BATCH)
    assert ended.code == 2
    assert "--tier batch: accounts of Google Cloud make no jobs" in ended.err
    assert not campaign.ledger.exists()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('enterprise = true\nlocation = "global"', "give the project"),
        ('enterprise = true\nproject = "our-cloud"', "give the location"),
        ('ACCOUNT\nlocation = "a/b"', "is none of Google Cloud's"),
        ('enterprise = true\nproject = "Our Cloud"\nlocation = "global"', "no project's id"),
        ('ACCOUNT\nlocation = "global"\napi_key = "AIzaSyKey0001"', "leave api_key out"),
        ('location = "global"\napi_key = "AIzaSyKey0001"', "add enterprise = true"),
        ('enterprise = true\nproject = "p"\nlocation = "us"\ncredentials = "x"', "no such file"),
        ('enterprise = true\nproject = "p"\nlocation = "us"', "gcloud auth application-default"),
    ],
)
async def test_an_account_that_is_not_told_as_it_must_be_is_bad_input(
    table, said, stage, monkeypatch, tmp_path
):
    # No login of whoever runs the tests, and no look at whose this machine is.
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    campaign = await stage()
    ended = await campaign.run(keys=keys_file(campaign, table))
    *before, told = ended.err.splitlines()
    assert ended.code == 2
    assert all(line.startswith("Indexing images") for line in before)
    assert said in told
    assert not campaign.ledger.exists()
