"""What the SDK makes of the server's answers."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import aiohttp
import pytest
from google.genai import types

from curator.judging.parser import Parsed, Unparsable, parse_reply
from tests.curator.rehearsal.conftest import COLORS, KNOWN, MODEL, Catalogue, Play, draw, encoded


def drafts(text: str | None) -> list[tuple[str, str]]:
    parsed = parse_reply(text or "")
    assert isinstance(parsed, Parsed), parsed
    return [(draft.question, draft.answer) for draft in parsed.drafts]


@pytest.mark.parametrize("api_version", ["v1", "v1beta"])
async def test_known_image_gets_its_pairs_by_the_schema(play: Play, api_version: str):
    async with play() as stage:
        reply = await stage.ask(api_version=api_version)
    assert drafts(reply.text) == KNOWN["shoe.png"]
    assert all(one["difficulty"] for one in json.loads(reply.text))
    assert reply.model_version == MODEL
    assert reply.response_id
    assert reply.candidates[0].finish_reason is types.FinishReason.STOP


@pytest.mark.parametrize("name", KNOWN)
async def test_an_image_is_known_again_after_scaling_and_encoding(
    play: Play, catalogue: Catalogue, name: str
):
    box = {"shoe.png": (30, 60, 200, 280), "lamp.png": (150, 20, 250, 120)}[name]
    small = draw(COLORS[name], box).resize((110, 110))
    async with play() as stage:
        reply = await stage.ask(image=encoded(small))
    assert drafts(reply.text) == KNOWN[name]


async def test_unknown_image_gets_an_empty_list_and_is_counted(play: Play):
    async with play() as stage:
        reply = await stage.ask(image=encoded(draw("green", (0, 150, 299, 299))))
        figures = await stage.stats()
    assert json.loads(reply.text) == []
    assert figures["outcomes"] == {"unknown_image": 1}


async def test_without_a_schema_a_numbered_list_comes_back(play: Play):
    async with play() as stage:
        reply = await stage.ask(temperature=0.5)
    assert reply.text.startswith("1. ")
    assert drafts(reply.text) == KNOWN["shoe.png"]


async def test_usage_counts_image_and_text(play: Play):
    async with play() as stage:
        small = await stage.ask()
        large = await stage.ask(image=encoded(draw("red", (0, 0, 9, 9), side=512)))
    usage = small.usage_metadata
    by_modality = {one.modality.value: one.token_count for one in usage.prompt_tokens_details}
    assert by_modality["IMAGE"] == 258
    assert usage.prompt_token_count == sum(by_modality.values())
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count
    assert usage.candidates_token_count > 0
    assert large.usage_metadata.prompt_token_count - usage.prompt_token_count == 3 * 258


async def test_output_limit_cuts_the_text(play: Play):
    async with play() as stage:
        reply = await stage.ask(max_output_tokens=5)
    assert reply.candidates[0].finish_reason is types.FinishReason.MAX_TOKENS
    assert len(reply.text) <= 20


async def test_snake_case_and_padded_standard_base64_are_read_too(play: Play, catalogue: Catalogue):
    image = base64.b64encode(catalogue.content("lamp.png")).decode()
    part = {"inline_data": {"mime_type": "image/png", "data": image}}
    config = {"response_mime_type": "application/json"}
    body = {"contents": [{"parts": [{"text": "Write 1 question"}, part]}]}
    async with play() as stage:
        status, reply = await stage.post(json.dumps(body | {"generation_config": config}).encode())
    assert status == 200
    text = reply["candidates"][0]["content"]["parts"][0]["text"]
    assert drafts(text) == KNOWN["lamp.png"][:1]


@pytest.mark.parametrize(
    ("kind", "finish_reason"), [("safety", "SAFETY"), ("recitation", "RECITATION")]
)
async def test_withheld_candidate_has_no_text(play: Play, kind: str, finish_reason: str):
    async with play(fault=[{"kind": kind, "every": 1}]) as stage:
        reply = await stage.ask()
    assert reply.text is None
    assert reply.candidates[0].finish_reason.value == finish_reason


async def test_blocked_prompt_has_no_candidates(play: Play):
    async with play(fault=[{"kind": "blocked_prompt", "every": 1}]) as stage:
        reply = await stage.ask()
    assert not reply.candidates
    assert reply.prompt_feedback.block_reason.value == "PROHIBITED_CONTENT"
    assert reply.text is None


async def test_cut_off_model_text_is_not_json(play: Play):
    async with play(fault=[{"kind": "max_tokens", "every": 1}]) as stage:
        reply = await stage.ask()
    assert reply.candidates[0].finish_reason is types.FinishReason.MAX_TOKENS
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.text)


async def test_nonsense_cannot_be_parsed(play: Play):
    async with play(fault=[{"kind": "nonsense", "every": 1}]) as stage:
        reply = await stage.ask()
    assert isinstance(parse_reply(reply.text), Unparsable)


@pytest.mark.parametrize(
    ("kind", "start"), [("fenced", "Here"), ("numbered", "1. "), ("trailing_comma", "[{")]
)
async def test_other_forms_than_the_schema_still_hold_the_pairs(play: Play, kind: str, start: str):
    async with play(fault=[{"kind": kind, "every": 1}]) as stage:
        reply = await stage.ask()
    assert reply.text.startswith(start)
    assert drafts(reply.text) == KNOWN["shoe.png"]


async def test_cut_body_is_a_success_that_is_not_json(play: Play):
    async with play(fault=[{"kind": "cut_body", "every": 1}]) as stage:
        with pytest.raises(json.JSONDecodeError):
            await stage.ask()
        figures = await stage.stats()
    assert figures["statuses"] == {"200": 1}
    assert figures["images"]["answered"] == 0


async def test_dropped_connection(play: Play):
    async with play(fault=[{"kind": "dropped", "every": 1}]) as stage:
        with pytest.raises(aiohttp.ClientError):
            await stage.post(b'{"contents": [{"parts": [{"text": "Hello"}]}]}')
        assert (await stage.stats())["outcomes"] == {"dropped": 1}


async def test_slow_reply_comes_when_its_time_has_passed(play: Play):
    slow = {"latency": {"slow_ms": 40_000}, "fault": [{"kind": "slow", "every": 1}]}
    async with play(**slow) as stage:
        asking = asyncio.create_task(stage.ask())
        assert await stage.clock.until_asleep() == 40.0
        stage.clock.advance(39.9)
        assert not asking.done()
        stage.clock.advance(0.1)
        assert drafts((await asking).text) == KNOWN["shoe.png"]


async def test_client_that_gives_up_on_a_slow_reply_was_not_answered(play: Play):
    async with play(fault=[{"kind": "slow", "every": 1}]) as stage:
        with pytest.raises(TimeoutError):
            await stage.ask(timeout_ms=300)
        await stage.clock.until_asleep()
        await stage.stats()
        stage.clock.advance(60)
        figures = await stage.stats()
        while not figures["replies"]:
            figures = await stage.stats()
    assert figures["outcomes"] == {"client_gone": 1}
    assert figures["images"]["answered"] == 0


async def test_a_schema_that_is_nested_too_deeply_is_refused(play: Play):
    schema: dict[str, Any] = {"type": "STRING"}
    for _ in range(400):
        schema = {"type": "OBJECT", "properties": {"inner": schema}}
    request = {
        "contents": [{"parts": [{"text": "hello"}]}],
        "generationConfig": {"responseSchema": schema},
    }
    async with play() as stage:
        status, body = await stage.post(json.dumps(request).encode())
    assert (status, "nesting depth" in body["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    ("config", "status"),
    [
        ({"mediaResolution": "MEDIA_RESOLUTION_LOW"}, 200),
        ({"mediaResolution": "MEDIA_RESOLUTION_UNSPECIFIED"}, 200),
        ({"mediaResolution": "MEDIA_RESOLUTION_HUGE"}, 400),
        ({"thinkingConfig": {"thinkingLevel": "HIGH"}}, 200),
        ({"thinkingConfig": {"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}}, 200),
        ({"thinkingConfig": {"thinkingLevel": "DEEP"}}, 400),
    ],
)
async def test_settings_that_there_are_not_are_refused(
    play: Play, config: dict[str, Any], status: int
):
    image_tokens = {"low": 280, "medium": 560, "high": 1120}
    async with play(model=[{"name": MODEL, "image_tokens": image_tokens}]) as stage:
        data = base64.b64encode(stage.image).decode()
        parts = [{"text": "hello"}, {"inlineData": {"mimeType": "image/png", "data": data}}]
        request = {"contents": [{"parts": parts}], "generationConfig": config}
        assert (await stage.post(json.dumps(request).encode()))[0] == status
