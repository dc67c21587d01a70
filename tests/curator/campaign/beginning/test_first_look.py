"""Before the first request of a ledger, a run looks which keys are any good."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from tests.curator.campaigns import KEYS, PICTURES
from tests.fakes.jumping_clock import JumpingClock

MODEL = "gemini-3.5-flash-lite"


def logged(campaign, event: str) -> list[dict]:
    lines = (campaign.folder / "campaign.db.log.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["event"] == event]


def dead(*keys: str, state: str = "leaked") -> list[dict]:
    return [{"api_key": key, "state": state} for key in keys]


async def test_a_key_that_is_bad_for_good_is_left_out_with_one_line_and_no_request(stage):
    campaign = await stage(key=dead(KEYS[1]), accept_unlisted_keys=True)
    ended = await campaign.run(limit=3)
    assert ended.code == 0, ended.err
    [line] = [line for line in ended.err.splitlines() if "removing from pool" in line]
    assert "key-2" in line
    assert "leaked" in line
    assert KEYS[1] not in ended.err
    figures = campaign.server.stats()
    assert figures["keys"].keys() == figures["look_ups"].keys() - {"key-1"}
    assert figures["look_ups"]["key-1"] == 1
    states = {key["label"]: key for key in (await campaign.status())["keys"]}
    assert states["key-2"]["state"] == "removed"
    assert "leaked" in states["key-2"]["removed_because"]
    # It stays out, as after a request; no other look is taken at any.
    again = await campaign.run(limit=6)
    assert again.code == 0
    assert "key-2" in again.err
    assert campaign.server.stats()["look_ups"] == figures["look_ups"]
    assert "key-1" not in campaign.server.stats()["keys"]


async def test_without_any_good_key_nothing_is_asked_until_one_is_there(stage):
    campaign = await stage(key=dead(*KEYS), accept_unlisted_keys=False)
    ended = await campaign.run()
    assert ended.code == 75
    assert "no key is left that can serve" in ended.err
    assert "leaked" in ended.err
    assert campaign.requests == 0
    again = await campaign.run()
    assert again.code == 2
    assert "--retry-keys" in again.err
    assert campaign.requests == 0


async def test_keys_that_are_good_are_told_as_one_count(stage):
    campaign = await stage()
    assert (await campaign.run()).code == 0
    [told] = logged(campaign, "keys_checked")
    assert told["usable"] == len(KEYS)
    assert campaign.requests == PICTURES


async def test_what_may_change_is_left_to_the_requests(stage):
    campaign = await stage(key=dead(KEYS[1], state="unpaid"), accept_unlisted_keys=True)
    ended = await campaign.run()
    assert ended.code == 0, ended.err
    assert campaign.server.stats()["keys"]["key-1"]["requests"] == 1


async def test_a_key_that_may_use_no_model_is_left_out_of_this_run_alone(stage):
    campaign = await stage(key=dead(KEYS[1], state="closed"), accept_unlisted_keys=True)
    ended = await campaign.run(limit=3)
    assert ended.code == 0, ended.err
    [line] = [line for line in ended.err.splitlines() if "removing from pool" in line]
    assert "key-2" in line
    assert "key-1" not in campaign.server.stats()["keys"]
    key = {key["label"]: key for key in (await campaign.status())["keys"]}["key-2"]
    assert key["state"] == "removed"
    assert "no longer available" in key["removed_because"]
    # The next run asks once whether that has changed.
    assert (await campaign.run()).code == 0
    assert campaign.server.stats()["keys"]["key-1"]["requests"] == 1


async def test_a_model_that_no_key_may_use_is_told_once_and_the_others_are_asked(stage):
    campaign = await stage(models=[MODEL])
    ended = await campaign.run(models=["gemini-3.5-flash-light", MODEL])
    assert ended.code == 0, ended.err
    [told] = logged(campaign, "no_key_may_use_model")
    assert told["model"] == "gemini-3.5-flash-light"
    assert logged(campaign, "project_may_not_use_model") == []
    [unlisted] = logged(campaign, "model_not_listed")
    assert unlisted["nearest"].startswith(MODEL)
    assert (await campaign.status())["attempts"] == {"answered": PICTURES}


async def test_a_name_that_no_service_knows_ends_the_run_before_anything_is_written(stage):
    campaign = await stage(models=[MODEL])
    ended = await campaign.run(model="gemini-3.5-flash-light")
    assert ended.code == 2
    last = ended.err.splitlines()[-1]
    assert "no key may use this model" in last
    assert f"the nearest known: {MODEL}" in last
    assert campaign.requests == 0
    assert list(campaign.folder.iterdir()) == [campaign.folder / "keys.txt"]


async def test_a_misspelt_name_costs_a_ledger_in_use_nothing(stage):
    campaign = await stage(models=[MODEL])
    assert (await campaign.run(limit=3)).code == 0
    pairs, requests = campaign.pairs(), campaign.requests
    looks = sum(campaign.server.stats()["look_ups"].values())
    ended = await campaign.run(model="gemini-3.5-flash-light")
    assert ended.code == 2
    assert f"the nearest known: {MODEL}" in ended.err
    assert (campaign.pairs(), campaign.requests) == (pairs, requests)
    assert (await campaign.run()).code == 0
    # What the ledger has asked before is not looked at again.
    assert sum(campaign.server.stats()["look_ups"].values()) == looks + len(KEYS)


async def test_a_new_model_that_is_in_no_catalogue_is_asked_if_the_service_has_it(stage):
    campaign = await stage(models=["gemini-9-flash"])
    ended = await campaign.run(model="gemini-9-flash")
    assert ended.code == 0, ended.err
    assert "model_not_listed" in ended.err


async def test_a_look_that_reaches_nobody_stops_no_run(stage):
    campaign = await stage()
    ended = await campaign.run(JumpingClock(), base_url="http://127.0.0.1:9")
    assert ended.code == 75
    assert "the service has not answered" in ended.err
    [told] = logged(campaign, "keys_checked")
    assert told["not_known"] == len(KEYS)
    assert (await campaign.run()).code == 0


async def test_an_end_that_a_look_tells_is_told_before_the_first_request(stage):
    end = datetime(2031, 12, 1, tzinfo=UTC)
    closed = {"name": MODEL, "retires": end}
    campaign = await stage(model=[closed], unlisted_quota={"rpd": 0})
    await campaign.run()
    assert campaign.server.stats()["outcomes"].keys() == {"day_quota"}
    [warning] = logged(campaign, "model_retires")
    assert (warning["model"], warning["said_by"]) == (MODEL, "the service")
