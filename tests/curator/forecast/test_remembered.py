"""A plan by a ledger goes by what the service told in it: limits, closed models, failed keys."""

from __future__ import annotations

import json

from tests.curator.campaigns import KEYS

MODEL = "gemini-3.5-flash"
OTHER = "gemini-3.5-flash-lite"
LISTED = """
[[key]]
label = "old"
project = "first"
api_key = "{}"
rpd = 100
[[key]]
label = "new"
project = "second"
api_key = "{}"
rpd = 100
[[key]]
label = "leaked"
project = "first"
api_key = "{}"
rpd = 100
"""


async def told(stage, *models: str, **tables):
    """Return a campaign after a run of ``models``, and how to plan for some by its ledger."""
    keys = [
        {"label": "old", "api_key": KEYS[0], "project": "first"},
        {"label": "new", "api_key": KEYS[1], "project": "second"},
        {"label": "leaked", "api_key": KEYS[2], "project": "first", "state": "leaked"},
    ]
    projects = [{"name": "first", "rpd": 4}, {"name": "second", "rpd": 100}]
    campaign = await stage(key=keys, project=projects, accept_unlisted_keys=False, **tables)
    listed = campaign.folder / "keys.toml"
    listed.write_text(LISTED.format(*KEYS))
    ended = await campaign.run(models=list(models), keys=listed)

    async def planned(*more: str):
        catalog = ("--catalog", str(campaign.catalog), "--keys", str(listed))
        return await campaign.command("plan", *catalog, "--json", *more)

    return ended, planned


async def test_a_plan_by_a_ledger_goes_by_limits_models_and_keys_that_were_refused(stage):
    closed = {"name": MODEL, "closed_to": ["second"]}
    ended, planned = await told(stage, MODEL, model=[closed])
    assert ended.code == 75, ended.err
    plan = json.loads((await planned("--model", MODEL)).out)
    # Twelve images, four a day, through one key.
    assert [span["each_day"]["requests"] for span in plan["days"]] == [4]
    assert [span["days"] for span in plan["days"]] == [3]
    assert [key["label"] for key in plan["keys"]] == ["old"]
    by_plan = {each["plan"]: each["duration_s"] for each in plan["plans"]}
    assert by_plan["standard"] == plan["duration_s"] > 24 * 3600
    assert by_plan["flex"] > 24 * 3600
    lines = plan["told_by_ledger"]
    assert len(lines) == 3
    assert "leaked is left out: it failed for good" in lines[0]
    assert f"first has rpd 4 for {MODEL}, says the service." in lines
    assert any(f"second may not use {MODEL} (NOT_FOUND" in line for line in lines)
    # Of another model nothing is known.
    other = json.loads((await planned("--model", OTHER)).out)
    assert [key["label"] for key in other["keys"]] == ["old", "new"]
    # The other model serves whom the first does not.
    both = json.loads((await planned("--model", MODEL, "--model", OTHER)).out)
    assert {each["model"]: each["requests"] for each in both["models"]} == {MODEL: 4, OTHER: 8}


async def test_a_plan_by_a_ledger_that_leaves_no_key_is_bad_input(stage):
    closed = {"name": MODEL, "closed_to": ["first", "second"]}
    ended, planned = await told(stage, MODEL, OTHER, model=[closed])
    assert ended.code == 0, ended.err
    refused = await planned("--model", MODEL)
    assert refused.code == 2
    line = refused.err.splitlines()[-1]
    assert f"none of these keys may ask {MODEL}" in line
    assert "NOT_FOUND" in line
    assert "give another --model" in line
    # A model that nobody may use is left out where there is another.
    plan = json.loads((await planned("--model", MODEL, "--model", OTHER)).out)
    assert [each["model"] for each in plan["models"]] == [OTHER]
