"""How hard to think and in what detail to look: said to each model in its way, and kept."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from curator.annotators.registry import Service
from curator.models.asked_settings import AskedSettings, ModelSettings, settings_for
from curator.models.known import packaged_models
from shared.errors import InputError
from tests.curator.campaigns import PICTURES

MODELS = packaged_models()
LITE, OLD = "gemini-3.5-flash-lite", "gemini-2.5-flash"
IMAGE_TOKENS = {"low": 280, "medium": 560, "high": 1120}
BY_LEVEL = {
    "name": LITE,
    "image_tokens": IMAGE_TOKENS,
    "thought_tokens": {"minimal": 10, "low": 90, "medium": 300, "high": 700},
    "thinking": "minimal",
}
BY_BUDGET = {"name": OLD, "takes_budget": True}


def rows(campaign) -> set[tuple]:
    with closing(sqlite3.connect(campaign.ledger)) as database:
        return set(
            database.execute(
                "SELECT model, thinking, image_detail, thought_tokens, image_tokens FROM attempts "
                "JOIN pairs ON pairs.attempt_id = attempts.id"
            )
        )


async def test_a_model_thinks_and_looks_as_it_is_asked_and_the_row_of_each_pair_tells(stage):
    campaign = await stage(model=[BY_LEVEL])
    assert (await campaign.run(limit=2)).code == 0
    asked = AskedSettings("high", "low")
    assert (await campaign.run(limit=4, settings=asked)).code == 0
    assert (await campaign.run(settings=AskedSettings("", "medium"))).code == 0
    # None of them makes another campaign: nothing was asked twice.
    assert campaign.requests == PICTURES
    assert rows(campaign) == {
        (LITE, "", "", 10, 1120),
        (LITE, "high", "low", 700, 280),
        (LITE, "", "medium", 10, 560),
    }


async def test_a_model_that_knows_no_levels_is_given_a_budget(stage):
    campaign = await stage(model=[BY_BUDGET])
    result = await campaign.run(model=OLD, settings=AskedSettings("low"))
    assert result.code == 0, result.err
    assert {row[:4] for row in rows(campaign)} == {(OLD, "low", "", 1024)}


async def test_each_of_several_models_is_asked_in_its_own_way(stage):
    campaign = await stage(
        model=[BY_LEVEL, BY_BUDGET], unlisted_quota={"rpd": 2}, accept_unlisted_keys=True
    )
    result = await campaign.run(models=[LITE, OLD], settings=AskedSettings("medium"))
    assert result.code == 0, result.err
    assert {row[:2] + row[3:4] for row in rows(campaign)} == {
        (LITE, "medium", 300),
        (OLD, "medium", 8192),
    }


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ["--model", "gemini-3.8-flash", "--thinking", "minimal"],
            "--thinking minimal: gemini-3.8-flash takes low, medium, high",
        ),
        (
            ["--model", LITE, "--model", "gemini-2.5-pro", "--thinking", "minimal"],
            "--thinking minimal: gemini-2.5-pro takes low, medium, high",
        ),
        (
            ["--annotator", "openai", "--model", "x", "--image-detail", "medium"],
            "--image-detail medium: --annotator openai takes low, high",
        ),
        (["--thinking", "hard"], "'hard'"),
    ],
)
async def test_what_a_model_is_known_to_refuse_is_said_before_the_first_request(
    stage, options, told, command
):
    campaign = await stage(model=[BY_LEVEL])
    paths = ["--catalog", str(campaign.catalog), "--keys", str(campaign.folder / "keys.txt")]
    address = ["--base-url", campaign.url] if command == "run" else []
    result = await campaign.command(command, *paths, *address, *options)
    assert result.code == 2
    assert told in result.err
    assert not campaign.ledger.exists()
    assert campaign.requests == 0


async def test_what_is_only_refused_by_the_service_ends_the_run_and_no_image_pays(stage):
    refusing = {**BY_LEVEL, "name": "gemini-9", "thought_tokens": {"low": 9}, "thinking": "low"}
    campaign = await stage(model=[refusing])
    result = await campaign.run(model="gemini-9", settings=AskedSettings("high"))
    assert result.code == 2
    assert "Thinking level HIGH is not supported" in result.err
    assert (await campaign.status())["progress"]["dead"] == 0
    assert (await campaign.run(model="gemini-9", settings=AskedSettings("low"))).code == 0


def test_of_a_model_that_is_not_known_nothing_is_refused():
    asked = AskedSettings("minimal", "low")
    assert settings_for(MODELS.known("house"), asked) == ModelSettings("minimal", None, "low")
    assert Service.OPENAI.protocol.image_details == ("low", "high")
    with pytest.raises(InputError, match="takes low, medium, high"):
        settings_for(MODELS.known("gemini-3.8-flash"), asked)
