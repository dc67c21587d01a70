"""Quotas over HTTP: what a 429 says, who shares a quota, and when it opens again."""

from __future__ import annotations

import pytest
from google.genai import errors

from tests.curator.rehearsal.conftest import Play, Stage
from tests.curator.rehearsal.test_refusals import details_of


async def refused(stage: Stage, key: str = "good") -> tuple[dict[str, str], float]:
    """Return quota values by quota id, and the delay in seconds."""
    with pytest.raises(errors.ClientError, match="exceeded your current quota") as caught:
        await stage.ask(key)
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    details = details_of(caught.value)
    assert details["Help"]["links"]
    delay = details["RetryInfo"]["retryDelay"]
    seconds = float(delay[:-2]) / 1000 if delay.endswith("ms") else float(delay[:-1])
    violations = details["QuotaFailure"]["violations"]
    assert all(one["quotaDimensions"]["model"] == "gemini-3.5-flash-lite" for one in violations)
    return {one["quotaId"]: one.get("quotaValue", "") for one in violations}, seconds


def project(**limits: object) -> dict[str, object]:
    keys = [{"api_key": name, "label": name, "project": "ours"} for name in ("good", "other")]
    return {"key": keys, "project": [{"name": "ours"} | limits]}


async def test_keys_of_one_project_share_its_minute(play: Play):
    async with play(**project(rpm=2)) as stage:
        await stage.ask("good")
        stage.clock.advance(20)
        await stage.ask("other")
        quotas, delay_s = await refused(stage)
        assert quotas == {"GenerateRequestsPerMinutePerProjectPerModel-FreeTier": "2"}
        assert delay_s == 40
        stage.clock.advance(39)
        assert (await refused(stage))[1] == 1
        stage.clock.advance(1)
        assert (await stage.ask("good")).text
        figures = await stage.stats()
    assert figures["projects"]["ours"]["outcomes"] == {"answered": 3, "minute_quota": 2}


async def test_tokens_of_the_minute(play: Play):
    async with play(**project(tpm=800, tier="paid")) as stage:
        used = (await stage.ask()).usage_metadata.prompt_token_count
        assert used <= 800 < 2 * used
        quotas, delay_s = await refused(stage)
        assert quotas == {"GenerateContentInputTokensPerModelPerMinute": "800"}
        stage.clock.advance(delay_s)
        assert (await stage.ask()).text


async def test_day_ends_at_midnight_in_los_angeles(play: Play):
    async with play(**project(rpd=1)) as stage:
        await stage.ask()
        quotas, delay_s = await refused(stage)
        assert quotas == {"GenerateRequestsPerDayPerProjectPerModel-FreeTier": "1"}
        assert delay_s <= 60, "as misleading as Google's"
        stage.clock.advance(12 * 3600 - 1)
        await refused(stage, "other")
        stage.clock.advance(1)
        assert (await stage.ask()).text
        figures = await stage.stats()
    assert figures["requests_after_day_limit"] == 1
    assert figures["keys"]["good"]["outcomes"] == {"answered": 2, "day_quota": 1}


async def test_day_and_minute_are_named_together(play: Play):
    async with play(**project(rpm=1, rpd=1)) as stage:
        await stage.ask()
        quotas, _ = await refused(stage)
    assert len(quotas) == 2


async def test_limit_of_nothing_names_no_value(play: Play):
    async with play(**project(rpd=0)) as stage:
        quotas, _ = await refused(stage)
    assert quotas == {"GenerateRequestsPerDayPerProjectPerModel-FreeTier": ""}


async def test_each_model_has_its_own_quota(play: Play):
    async with play(**project(rpm=1)) as stage:
        await stage.ask()
        assert (await stage.ask(model="gemini-2.5-pro")).text
        await refused(stage)


async def test_short_day(play: Play):
    async with play(**project(rpd=1), day={"length_s": 90}) as stage:
        await stage.ask()
        stage.clock.advance(89)
        await refused(stage)
        stage.clock.advance(1)
        assert (await stage.ask()).text


async def test_calendar_set_forward(play: Play):
    async with play(**project(rpd=1), day={"offset_s": 12 * 3600 - 30}) as stage:
        await stage.ask()
        stage.clock.advance(29)
        await refused(stage)
        stage.clock.advance(1)
        assert (await stage.ask()).text


async def test_repeats_are_counted_but_not_after_a_useless_answer(play: Play):
    async with play(fault=[{"kind": "nonsense", "at": [1]}]) as stage:
        await stage.ask()
        paid = (await stage.stats())["tokens"]["prompt"]
        await stage.ask()
        await stage.ask()
        await stage.ask(temperature=0.1)
        figures = await stage.stats()
    assert figures["images"]["answered"] == 1
    assert figures["images"]["repeats"] == 2
    assert figures["tokens"]["prompt"] > 3 * paid > 0


async def test_a_model_has_limits_of_its_own_in_all_projects_or_in_one(play: Play):
    tables = {
        "project": [
            {"name": "ours", "rpm": 1, "model": [{"name": "gemini-pro", "rpd": 0}]},
            {"name": "theirs"},
        ],
        "key": [
            {"api_key": "good", "project": "ours"},
            {"api_key": "other", "project": "theirs"},
        ],
        "model": [{"name": "gemini-lite", "rpm": 2}],
    }
    async with play(**tables) as stage:
        with pytest.raises(errors.ClientError, match="limit: 0"):
            await stage.ask(model="gemini-pro")
        assert (await stage.ask("other", model="gemini-pro")).text
        for model, allowed in (("gemini-lite", 2), ("gemini-flash", 1)):
            for _ in range(allowed):
                assert (await stage.ask(model=model)).text
            with pytest.raises(errors.ClientError, match=f"limit: {allowed}, model: {model}"):
                await stage.ask(model=model)
