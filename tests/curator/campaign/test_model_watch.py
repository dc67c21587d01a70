"""Another model than the one that was asked, and a model that will be shut down, over HTTP."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.curator.campaigns import PICTURES

MODEL = "gemini-3.5-flash-lite"
HEIR = "gemini-3.8-flash"
END = datetime(2031, 12, 1, tzinfo=UTC)


def logged(campaign, event: str) -> list[dict]:
    lines = (campaign.folder / "campaign.db.log.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["event"] == event]


async def test_a_model_that_answers_for_another_is_one_warning_and_a_count(stage):
    campaign = await stage(model=[{"name": MODEL, "answers_as": HEIR}])
    assert (await campaign.run()).code == 0
    [warning] = logged(campaign, "another_model_answers")
    assert (warning["asked"], warning["answered_by"], warning["level"]) == (MODEL, HEIR, "warning")
    told = await campaign.status()
    assert told["replies_of_other_models"] == PICTURES
    assert told["replies_by_model"] == [
        {
            "asked": MODEL, "answered_by": HEIR, "is_another": True,
            "stage": "", "retires_at": None, "replies": PICTURES,
        }
    ]  # fmt: skip
    shown = await campaign.command("status")
    assert f"{HEIR} answered {PICTURES} times in the place of {MODEL}" in " ".join(
        shown.out.split()
    )
    folder = campaign.folder / "dataset"
    assert (await campaign.command("export", "--out", str(folder))).code == 0
    source = json.loads((folder / "manifest.json").read_text())["source"]
    assert source["replies_of_other_models"] == PICTURES
    assert source["replies_by_model"] == told["replies_by_model"]


async def test_a_model_that_answers_itself_is_no_warning(stage):
    campaign = await stage()
    assert (await campaign.run()).code == 0
    assert logged(campaign, "another_model_answers") == []
    told = await campaign.status()
    assert told["replies_of_other_models"] == 0
    assert [entry["answered_by"] for entry in told["replies_by_model"]] == [MODEL]
    assert "in the place of" not in (await campaign.command("status")).out


async def test_an_end_that_replies_tell_is_told_once_and_at_the_next_start(stage):
    campaign = await stage(model=[{"name": MODEL, "stage": "LEGACY", "retires": END}])
    assert (await campaign.run(limit=3)).code == 0
    [warning] = logged(campaign, "model_retires")
    assert (warning["model"], warning["said_by"]) == (MODEL, "the service")
    assert warning["at"].startswith("2031-1")
    # Before any reply, out of the ledger.
    await campaign.run(limit=3)
    assert len(logged(campaign, "model_retires")) == 2
    told = await campaign.status()
    assert told["retirements"] == [
        {"model": MODEL, "at": END.timestamp(), "said_by": "the service", "followed_by": ""}
    ]
    shown = " ".join((await campaign.command("status")).out.split())
    assert f"{MODEL} retires on 2031-1" in shown


@pytest.mark.parametrize(("model", "said_by"), [("gemini-2.5-flash", "models.toml"), (HEIR, None)])
async def test_an_end_that_is_known_beforehand_is_told_before_the_first_request(
    stage, model, said_by
):
    campaign = await stage()
    await campaign.run(model=model, limit=1)
    events = ("model_retires", "model_has_retired")
    warnings = [warning for event in events for warning in logged(campaign, event)]
    assert [warning["said_by"] for warning in warnings] == ([said_by] if said_by else [])
