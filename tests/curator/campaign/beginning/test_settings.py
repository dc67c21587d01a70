"""How hard to think and in what detail to look: said to each model in its way, and kept."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from curator.prompts.prompt import Prompt
from shared.endpoints.models.asked_settings import AskedSettings, ModelSettings, settings_for
from shared.endpoints.models.known import packaged_models
from shared.endpoints.protocols.annotator import AskedForm, ask_without
from shared.endpoints.protocols.registry import Service
from shared.endpoints.refusals.blame import row_for
from shared.endpoints.refusals.refusal import BadRequest, FormNotTaken, SettingNotTaken
from shared.endpoints.token_estimates import CountedReply, TokenEstimates
from shared.errors import InputError
from shared.program.clock import SystemClock
from tests.curator.campaigns import PICTURES
from tests.fakes.jumping_clock import JumpingClock

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
            ["--service", "openai", "--model", "x", "--image-detail", "medium"],
            "--image-detail medium: --service openai takes low, high",
        ),
        (
            ["--thinking", "hard"],
            "--thinking': 'hard' is not one of 'minimal', 'low', 'medium', 'high'; see --help",
        ),
    ],
)
async def test_what_a_model_is_known_to_refuse_is_said_before_the_first_request(
    stage, options, told, command
):
    campaign = await stage(model=[BY_LEVEL])
    paths = ["--catalog", str(campaign.catalog), "--keys", str(campaign.folder / "keys.txt")]
    address = ["--endpoint", campaign.url] if command == "run" else []
    result = await campaign.command(command, *paths, *address, *options)
    assert result.code == 2
    assert told in result.err
    assert not campaign.ledger.exists()
    assert campaign.requests == 0


NINE = {**BY_LEVEL, "name": "gemini-9", "thought_tokens": {"low": 9}, "thinking": "low"}


async def test_what_only_the_service_refuses_is_left_out_from_then_on_and_no_image_pays(stage):
    campaign = await stage(model=[NINE])
    asked = AskedSettings("high", "low")
    result = await campaign.run(model="gemini-9", settings=asked)
    assert result.code == 0, result.err
    assert result.err.count("model_takes_no_such_setting") == 1
    assert "thinking=high" in result.err
    assert "Thinking level HIGH is not supported" in result.err
    told = await campaign.status()
    assert told["attempts"]["answered"] == PICTURES
    # A few may have been under way when the first was refused.
    assert told["attempts"]["bad_request"] <= 3
    assert told["settings_left_out"] == {"gemini-9": ["thinking=high"]}
    assert "gemini-9 refuses thinking=high" in (await campaign.command("status")).out
    # What was really asked stands in the row of each pair: the detail was, the level was not.
    assert rows(campaign) == {("gemini-9", "", "low", 9, 280)}


async def test_a_refused_setting_is_remembered_and_another_value_is_asked_all_the_same(stage):
    campaign = await stage(model=[NINE])
    high = AskedSettings("high")
    assert (await campaign.run(model="gemini-9", settings=high, limit=3)).code == 0
    refused = (await campaign.status())["attempts"]["bad_request"]
    again = await campaign.run(model="gemini-9", settings=high, limit=6)
    assert again.code == 0
    assert "it refused in a run before" in again.err
    assert (await campaign.status())["attempts"]["bad_request"] == refused
    assert (await campaign.run(model="gemini-9", settings=AskedSettings("low"), limit=9)).code == 0
    assert ("gemini-9", "low", "", 9, 1120) in rows(campaign)
    # After a week, the model is asked anew.
    clock = JumpingClock(SystemClock().now() + 8 * 24 * 3600)
    assert (await campaign.run(clock, model="gemini-9", settings=high)).code == 0
    assert (await campaign.status())["attempts"]["bad_request"] > refused


def test_tokens_are_learned_of_a_model_whose_setting_was_left_out():
    nine, measure = MODELS.known("gemini-9"), Prompt(3, 1).request({}, b"", 256).measure
    of_models = {"gemini-9": ModelSettings("high")}
    estimates = TokenEstimates(MODELS.tile, AskedSettings("high"), of_models)
    of_models["gemini-9"] = of_models["gemini-9"].without("thinking=high")
    reply = CountedReply("gemini-9", estimates.asked("gemini-9"), measure, 500, 258, 40, 7)
    estimates.heard(reply)
    assert estimates.knows(nine, measure)
    assert estimates.output_tokens(nine, measure) == 47
    assert estimates.asked("another") == AskedSettings("high")


@pytest.mark.parametrize(
    ("told", "setting"),
    [
        ("Thinking level HIGH is not supported for this model.", "thinking"),
        ("Thinking is not enabled for models/gemini-9", "thinking"),
        ("Unsupported parameter: 'reasoning_effort' is not supported with this model.", "thinking"),
        ("Media resolution is not supported for this model.", "image_detail"),
        ("Invalid value at 'generation_config.media_resolution'", "image_detail"),
    ],
)
def test_each_setting_is_known_by_what_a_refusal_says_and_dropped_once(told, setting):
    row = row_for(400, frozenset({"INVALID_ARGUMENT"}), told)
    assert issubclass(row.refusal, SettingNotTaken)
    assert row.refusal.setting == setting
    sent = ModelSettings("high", 9, "low")
    settings = {"m": sent}
    refusal = ask_without(settings, "m", sent, AskedForm.SCHEMA, row.refusal(told))
    assert isinstance(refusal, FormNotTaken)
    left = {"thinking": ModelSettings("", None, "low"), "image_detail": ModelSettings("high", 9)}
    assert settings["m"] == left[setting]
    # Whoever had asked before the first was refused is asked once more, and nothing else changes.
    again = ask_without(settings, "m", sent, AskedForm.SCHEMA, row.refusal(told))
    assert isinstance(again, FormNotTaken)
    assert settings["m"] == left[setting]
    # Of a request that did not ask for it, it says that the request is wrong.
    assert isinstance(
        ask_without(settings, "m", settings["m"], AskedForm.SCHEMA, row.refusal(told)), BadRequest
    )


def test_of_a_model_that_is_not_known_nothing_is_refused():
    asked = AskedSettings("minimal", "low")
    assert settings_for(MODELS.known("house"), asked) == ModelSettings("minimal", None, "low")
    assert Service.OPENAI.protocol.image_details == ("low", "high")
    with pytest.raises(InputError, match="takes low, medium, high"):
        settings_for(MODELS.known("gemini-3.8-flash"), asked)
