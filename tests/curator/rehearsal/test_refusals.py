"""Google's error bodies, as the SDK surfaces them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.genai import errors

from tests.curator.rehearsal.conftest import MODEL, Play


def details_of(error: errors.APIError) -> dict[str, dict[str, Any]]:
    """Return the error's details by the last word of their type."""
    listed = error.details["error"].get("details", [])
    return {one["@type"].rpartition(".")[2]: one for one in listed}


@pytest.mark.parametrize(
    ("state", "code", "status", "words"),
    [
        ("invalid", 400, "INVALID_ARGUMENT", "API key not valid"),
        ("leaked", 403, "PERMISSION_DENIED", "reported as leaked"),
        ("suspended", 403, "PERMISSION_DENIED", "api_key:secret-of-it' has been suspended"),
        ("denied", 403, "PERMISSION_DENIED", "project has been denied access"),
        ("blocked", 403, "PERMISSION_DENIED", "GenerateContent are blocked"),
        ("service_disabled", 403, "PERMISSION_DENIED", "has not been used in project"),
        ("wrong_kind", 401, "UNAUTHENTICATED", "invalid authentication credentials"),
        ("unpaid", 429, "RESOURCE_EXHAUSTED", "prepayment credits are depleted"),
    ],
)
async def test_dead_key(play: Play, state: str, code: int, status: str, words: str):
    key = {"api_key": "secret-of-it", "label": "dead one", "state": state}
    async with play(key=[key]) as stage:
        with pytest.raises(errors.ClientError, match=words) as caught:
            await stage.ask("secret-of-it")
        with pytest.raises(errors.ClientError):
            await stage.ask("secret-of-it")
        figures = await stage.stats()
    assert (caught.value.code, caught.value.status) == (code, status)
    assert figures["keys"]["dead one"]["requests_after_dead"] == 1
    assert figures["requests_after_dead_key"] == 1
    assert "secret-of-it" not in json.dumps(figures)


async def test_reasons_of_dead_keys_are_machine_readable(play: Play):
    keys = [
        {"api_key": "one", "state": "invalid"},
        {"api_key": "two", "state": "suspended"},
        {"api_key": "three", "state": "blocked"},
        {"api_key": "four", "state": "service_disabled"},
        {"api_key": "five", "state": "wrong_kind"},
    ]
    reasons = {
        "one": "API_KEY_INVALID",
        "two": "CONSUMER_SUSPENDED",
        "three": "API_KEY_SERVICE_BLOCKED",
        "four": "SERVICE_DISABLED",
        "five": "ACCESS_TOKEN_TYPE_UNSUPPORTED",
    }
    async with play(key=keys) as stage:
        for api_key, reason in reasons.items():
            with pytest.raises(errors.ClientError) as caught:
                await stage.ask(api_key)
            assert details_of(caught.value)["ErrorInfo"]["reason"] == reason


async def test_unlisted_key_is_invalid_unless_the_script_accepts_it(play: Play):
    async with play() as stage:
        with pytest.raises(errors.ClientError, match="API key not valid"):
            await stage.ask("who-is-this")
    async with play(key=[], accept_unlisted_keys=True, unlisted_quota={"rpm": 1}) as stage:
        assert (await stage.ask("who-is-this")).text
        assert (await stage.ask("and-this")).text
        with pytest.raises(errors.ClientError, match="exceeded your current quota"):
            await stage.ask("who-is-this")
        figures = await stage.stats()
    assert len(figures["projects"]) == 2
    assert "who-is-this" not in json.dumps(figures)


async def test_request_without_a_key(play: Play):
    async with play(accept_unlisted_keys=True) as stage:
        status, body = await stage.post(b"{}", key="")
    assert (status, body["error"]["status"]) == (403, "PERMISSION_DENIED")


async def test_key_may_die_after_some_requests(play: Play):
    async with play(key=[{"api_key": "short-lived", "state": "leaked", "valid_for": 2}]) as stage:
        await stage.ask("short-lived")
        await stage.ask("short-lived")
        with pytest.raises(errors.ClientError, match="leaked"):
            await stage.ask("short-lived")


async def test_unknown_model(play: Play):
    async with play(models=["gemini-2.5-pro"]) as stage:
        with pytest.raises(errors.ClientError, match=f"models/{MODEL} is not found") as caught:
            await stage.ask()
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")


async def test_image_that_is_not_one(play: Play):
    async with play() as stage:
        with pytest.raises(errors.ClientError, match="Unable to process input image") as caught:
            await stage.ask(image=b"no image at all")
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")


async def test_image_cut_off_after_its_header(play: Play):
    async with play() as stage:
        with pytest.raises(errors.ClientError, match="Unable to process input image"):
            await stage.ask(image=stage.image[:200])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{not json",
        b"{}",
        b'{"contents": []}',
        b'{"contents": ["text"]}',
        b'{"contents": [{"parts": []}]}',
        b'{"contents": [{"parts": [1]}]}',
        b'{"contents": [{"parts": [{"text": "x"}]}], "generationConfig": 3}',
        b'{"contents": [{"parts": [{"text": "x"}]}], "prompt": "x"}',
        b'{"contents": [{"parts": [{"inlineData": {"data": "%%%%"}}]}]}',
        b'{"contents": [{"parts": [{"inlineData": {"mimeType": "image/png"}}]}]}',
    ],
)
async def test_malformed_request(play: Play, body: bytes):
    async with play() as stage:
        status, reply = await stage.post(body)
        assert (status, reply["error"]["status"]) == (400, "INVALID_ARGUMENT")
        assert (await stage.stats())["outcomes"] == {"malformed": 1}


async def test_request_of_more_than_twenty_mebibytes(play: Play):
    async with play() as stage:
        status, reply = await stage.post(b" " * (20 * 1024 * 1024 + 1))
    assert (status, "exceeds the limit" in reply["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("exhausted", 429, "RESOURCE_EXHAUSTED"),
        ("internal", 500, "INTERNAL"),
        ("overloaded", 503, "UNAVAILABLE"),
        ("deadline", 504, "DEADLINE_EXCEEDED"),
        ("region", 400, "FAILED_PRECONDITION"),
        ("bad_request", 400, "INVALID_ARGUMENT"),
    ],
)
async def test_refusals_by_script(play: Play, kind: str, code: int, status: str):
    async with play(fault=[{"kind": kind, "at": [2]}]) as stage:
        assert (await stage.ask()).text
        with pytest.raises(errors.APIError) as caught:
            await stage.ask()
        assert (await stage.ask()).text
        assert (await stage.stats())["outcomes"] == {kind: 1, "answered": 2}
    assert (caught.value.code, caught.value.status) == (code, status)
    assert isinstance(caught.value, errors.ServerError if code >= 500 else errors.ClientError)
    assert details_of(caught.value) == {}


@pytest.mark.parametrize(
    ("kind", "status", "kinds"),
    [
        ("exhausted", 429, []),
        ("quota_unsaid", 429, ["Help"]),
        ("no_capacity", 429, ["ErrorInfo"]),
        ("no_capacity_503", 503, ["ErrorInfo"]),
    ],
)
async def test_what_is_refused_for_want_of_something_tells_no_quota(
    play: Play, kind: str, status: int, kinds: list[str]
):
    async with play(fault=[{"kind": kind, "at": [1]}]) as stage:
        with pytest.raises(errors.APIError) as caught:
            await stage.ask()
        assert (await stage.ask()).text
    assert (caught.value.code, list(details_of(caught.value))) == (status, kinds)
    assert "limit: " not in caught.value.message
