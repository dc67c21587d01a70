"""The service tiers of a plain request: what they take, what is shed, and what a model lacks."""

from __future__ import annotations

import asyncio
import json

import pytest
from google.genai import errors, types

from tests.curator.rehearsal.conftest import MODEL, Play

FLEX = {"service_tier": types.ServiceTier.FLEX}


async def test_flex_takes_its_own_time(play: Play):
    async with play(latency={"mean_ms": 1_000}, flex={"mean_ms": 240_000}) as stage:
        asked = asyncio.create_task(stage.ask(api_version="v1beta", **FLEX))
        assert await stage.clock.until_asleep() == 240
        stage.clock.advance(240)
        reply = await asked
        assert reply.text
        assert reply.sdk_http_response.headers["x-gemini-service-tier"] == "flex"
        asked = asyncio.create_task(stage.ask())
        assert await stage.clock.until_asleep() == 1
        stage.clock.advance(1)
        reply = await asked
        assert reply.sdk_http_response.headers["x-gemini-service-tier"] == "standard"
        figures = await stage.stats()
    assert figures["tiers"] == {"flex": {"answered": 1}, "standard": {"answered": 1}}


async def test_flex_takes_as_long_as_others_where_nothing_is_said(play: Play):
    async with play(latency={"mean_ms": 2_000}) as stage:
        asked = asyncio.create_task(stage.ask(**FLEX))
        assert await stage.clock.until_asleep() == 2
        stage.clock.advance(2)
        assert (await asked).text


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [(503, errors.ServerError, "overloaded"), (429, errors.ClientError, "No capacity available")],
)
async def test_flex_is_shed_by_share(
    play: Play, status: int, error: type[errors.APIError], words: str
):
    async with play(flex={"shed": 0.5, "shed_status": status}, seed=3) as stage:
        refusals = []
        for _ in range(12):
            try:
                await stage.ask(**FLEX)
            except error as shed:
                refusals.append((shed.code, words in str(shed.message)))
            assert (await stage.ask()).text, "the standard tier is never shed"
        counted = (await stage.stats())["tiers"]
    assert counted["standard"] == {"answered": 12}
    assert set(refusals) == {(status, True)}
    assert counted["flex"]["shed"] + counted["flex"]["answered"] == 12
    assert 2 <= counted["flex"]["shed"] <= 10


async def test_a_downgraded_request_is_answered_and_paid_as_a_standard_one(play: Play):
    async with play(flex={"downgraded": 1.0, "mean_ms": 60_000}) as stage:
        reply = await stage.ask(**FLEX)
        figures = await stage.stats()
    assert reply.sdk_http_response.headers["x-gemini-service-tier"] == "standard"
    assert figures["tiers"] == {"flex": {"answered": 1}}


async def test_the_usage_names_the_tier(play: Play):
    request = {"contents": [{"parts": [{"text": "hello"}]}], "service_tier": "FLEX"}
    async with play() as stage:
        _, body = await stage.post(json.dumps(request).encode())
    assert body["usageMetadata"]["serviceTier"] == "flex"


async def test_a_tier_that_a_model_lacks_is_refused(play: Play):
    async with play(model=[{"name": MODEL, "tiers": ["standard"]}]) as stage:
        with pytest.raises(errors.ClientError, match="Flex API is not supported for model") as shed:
            await stage.ask(**FLEX)
        assert shed.value.code == 400
        assert (await stage.ask()).text


async def test_an_unknown_tier_is_refused(play: Play):
    request = {"contents": [{"parts": [{"text": "hello"}]}], "serviceTier": "turbo"}
    async with play() as stage:
        status, body = await stage.post(json.dumps(request).encode())
    assert (status, body["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert "'service_tier'" in body["error"]["message"]
