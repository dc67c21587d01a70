"""What is told of models over HTTP: open, closed to a project, unknown, retired, routed."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.genai import errors

from curator.rehearsal.model_shelf import ModelShelf, RehearsedModel
from tests.curator.rehearsal.conftest import MODEL, Play, Stage

PROJECTS = [{"name": "old"}, {"name": "new"}]
KEYS = [{"api_key": "good", "project": "old"}, {"api_key": "late", "project": "new"}]

GOOD = {"x-goog-api-key": "good"}


def inline_image(content: bytes) -> dict[str, Any]:
    data = base64.b64encode(content).decode()
    return {"inlineData": {"mimeType": "image/png", "data": data}}


async def look_up(stage: Stage, model: str = MODEL, key: str = "good") -> tuple[int, Any]:
    url = f"{stage.base_url}/v1beta/models/{model}"
    async with stage.session.get(url, headers={"x-goog-api-key": key}) as response:
        return response.status, await response.json()


async def test_a_look_at_a_model_costs_no_quota(play: Play):
    project = [{"name": "old", "rpm": 1, "rpd": 1}]
    async with play(project=project, key=KEYS[:1]) as stage:
        for _ in range(3):
            status, model = await look_up(stage)
            assert (status, model["name"]) == (200, f"models/{MODEL}")
            assert "generateContent" in model["supportedGenerationMethods"]
        assert (await stage.ask()).text
        figures = await stage.stats()
    assert figures["requests"] == 1
    assert figures["look_ups"] == {"key-1": 3}


@pytest.mark.parametrize(
    ("state", "status"),
    [("invalid", 400), ("leaked", 403), ("suspended", 403), ("closed", 404), ("unpaid", 200)],
)
async def test_a_look_tells_what_is_wrong_with_a_key(play: Play, state: str, status: int):
    async with play(key=[{"api_key": "good", "state": state}]) as stage:
        assert (await look_up(stage))[0] == status


async def test_a_model_may_be_closed_to_one_project_alone(play: Play):
    closed = [{"name": MODEL, "closed_to": ["new"]}]
    async with play(project=PROJECTS, key=KEYS, model=closed) as stage:
        assert (await look_up(stage))[0] == 200
        assert (await stage.ask("good")).text
        status, body = await look_up(stage, key="late")
        assert (status, "no longer available to new users" in body["error"]["message"]) == (404, 1)
        with pytest.raises(errors.ClientError, match="no longer available"):
            await stage.ask("late")


async def test_a_model_that_is_spent_is_unknown_from_then_on(play: Play):
    model = [{"name": MODEL, "valid_for": 2}]
    async with play(model=model) as stage:
        for _ in range(2):
            await stage.ask()
        with pytest.raises(errors.ClientError, match="404"):
            await stage.ask()
        assert (await look_up(stage))[0] == 404


async def test_an_unknown_model_is_told(play: Play):
    async with play(models=["gemini-x"], model=[{"name": "gemini-y"}]) as stage:
        statuses = [(await look_up(stage, name))[0] for name in ("gemini-x", "gemini-y", "gemini")]
    assert statuses == [200, 200, 404]


@pytest.mark.parametrize("heir", ["gemini-3.8-flash", ""])
async def test_a_model_tells_of_its_end_and_is_then_routed_or_gone(play: Play, heir: str):
    async with play() as stage:
        now = datetime.fromtimestamp(stage.clock.now(), UTC).replace(microsecond=0)
    end = now + timedelta(days=2)
    table = {"name": MODEL, "stage": "DEPRECATED", "retires": end, "answers_as": heir}
    async with play(model=[table]) as stage:
        told = {"modelStage": "DEPRECATED", "retirementTime": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
        status, body = await look_up(stage)
        assert (status, body["modelStatus"] | told) == (200, body["modelStatus"])
        reply = await stage.ask(api_version="v1beta")
        assert reply.model_version == MODEL
        assert reply.model_status.retirement_time == end
        stage.clock.advance(3 * 86_400)
        if heir:
            assert (await stage.ask()).model_version == heir
        else:
            assert (await look_up(stage))[0] == 404
            with pytest.raises(errors.ClientError, match="not found"):
                await stage.ask()


def test_without_an_end_a_name_is_routed_at_once():
    shelf = ModelShelf((), [RehearsedModel("a", answers_as="b")])
    assert (shelf.answering("a", 0.0), shelf.answering("c", 0.0)) == ("b", "c")
    assert shelf.status("a") == {}


async def test_tokens_are_counted_as_the_model_does_and_cost_no_quota(play: Play):
    model = [{"name": MODEL, "image_tokens": {"low": 280, "medium": 560, "high": 1120}}]
    async with play(project=[{"name": "old", "rpd": 0}], key=KEYS[:1], model=model) as stage:
        content = {"parts": [{"text": "abcdefgh"}, inline_image(stage.image)]}
        url = f"{stage.base_url}/v1beta/models/{MODEL}:countTokens"
        for body in ({"contents": [content]}, {"generateContentRequest": {"contents": [content]}}):
            async with stage.session.post(url, json=body, headers=GOOD) as response:
                told = await response.json()
            assert (response.status, told["totalTokens"]) == (200, 1122)
            assert [one["modality"] for one in told["promptTokensDetails"]] == ["TEXT", "IMAGE"]
        async with stage.session.post(url, json={"contents": []}, headers=GOOD) as response:
            assert response.status == 400
        figures = await stage.stats()
    assert (figures["requests"], figures["calls"]) == (0, {"count_tokens": 3})


@pytest.mark.parametrize(
    ("setting", "config", "words"),
    [
        ("json_mode", {}, "JSON mode is not enabled for models/gemma"),
        (
            "system_text",
            {"system_instruction": "Be brief."},
            "Developer instruction is not enabled",
        ),
        ("takes_thinking", {"thinking_config": {"thinking_level": "low"}}, "Thinking level is not"),
        ("takes_thinking", {"thinking_config": {"thinking_budget": 5}}, "Thinking budget is not"),
        ("takes_detail", {"media_resolution": "MEDIA_RESOLUTION_LOW"}, "Media resolution is not"),
    ],
)
async def test_a_model_refuses_forms_that_it_does_not_know(
    play: Play, setting: str, config: dict[str, Any], words: str
):
    async with play(model=[{"name": "gemma", setting: False}]) as stage:
        with pytest.raises(errors.ClientError, match=words) as caught:
            await stage.ask(model="gemma", api_version="v1beta", **config)
        assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
        assert (await stage.ask(model="gemma", temperature=0.1)).text
        assert (await stage.ask(api_version="v1beta", **config)).text
        outcomes = (await stage.stats())["outcomes"]
    assert outcomes["form_not_taken"] == 1
