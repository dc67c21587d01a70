"""Looks at models without a request: what a key may use, and what a service tells of a model."""

from __future__ import annotations

import json
import traceback
from collections.abc import Awaitable
from datetime import UTC, datetime

import pytest

from curator.rehearsal.key_ring import RehearsedKeyState
from shared.endpoints.keys.key import Key
from shared.endpoints.models.model_status import ModelStatus
from shared.endpoints.protocols.gemini import Gemini
from shared.endpoints.protocols.gemini_wire import read_model, read_reply
from shared.endpoints.protocols.openai_sdk import OpenAIClient
from shared.endpoints.refusals.refusal import (
    InvalidKey,
    ModelRefused,
    Refusal,
    Unavailable,
    Unreachable,
    WrongAddress,
)
from tests.curator.pictures import write_abo
from tests.fakes.openai_server import OpenAIServer

SECRET = "AIzaSySecretOfTheTest01"
KEY = Key("one", "p1", SECRET)
END = datetime(2031, 12, 1, tzinfo=UTC)
DEPRECATED = {"name": "gemini-x", "stage": "DEPRECATED", "retires": END}


@pytest.fixture
def images(tmp_path):
    return write_abo(tmp_path / "abo", 3) / "images" / "small"


async def come_of(look: Awaitable[ModelStatus]) -> ModelStatus | Refusal:
    try:
        return await look
    except Refusal as refusal:
        return refusal


def secretive(came: ModelStatus | Refusal, secret: str) -> ModelStatus | Refusal:
    if isinstance(came, Refusal) and secret:
        assert secret not in "".join(traceback.format_exception(came))
        assert came.__context__ is None
    return came


async def looked_up(url: str | None, model: str = "gemini-x") -> ModelStatus | Refusal:
    async with Gemini.connected(connections=1, base_url=url, timeout_s=5.0) as gemini:
        return secretive(await come_of(gemini.look_up(KEY, model)), SECRET)


@pytest.mark.parametrize(
    ("state", "kind", "about"),
    [
        ("invalid", InvalidKey, "unknown, expired, suspended"),
        ("leaked", InvalidKey, "unknown, leaked or denied"),
        ("suspended", InvalidKey, "unknown, expired, suspended"),
        ("closed", ModelRefused, "closed to this project"),
    ],
)
async def test_what_is_wrong_with_a_key_is_told_without_a_request(
    rehearsal, images, state, kind, about
):
    server = rehearsal(images, key=[{"api_key": SECRET, "state": RehearsedKeyState(state)}])
    async with server.serving() as url:
        refusal = await looked_up(url)
    assert isinstance(refusal, kind)
    assert about in refusal.about
    assert server.stats()["requests"] == 0


async def test_a_model_tells_of_its_end(rehearsal, images):
    server = rehearsal(images, model=[DEPRECATED], models=["gemini-y"])
    async with server.serving() as url:
        assert await looked_up(url) == ModelStatus("DEPRECATED", END.timestamp())
        assert await looked_up(url, "gemini-y") == ModelStatus()
        assert isinstance(await looked_up(url, "gemini-z"), ModelRefused)


async def test_a_look_that_reaches_nobody_tells_nothing_of_the_key(rehearsal, images):
    assert isinstance(await looked_up("http://127.0.0.1:9"), Unreachable)
    async with rehearsal(images).serving() as url:
        assert isinstance(await looked_up(f"{url}/elsewhere"), WrongAddress)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({}, ModelStatus()),
        ({"modelStage": "LEGACY"}, ModelStatus("LEGACY")),
        ({"modelStage": 7, "retirementTime": "soon"}, ModelStatus("7")),
        (
            {"retirementTime": "2031-12-01T00:00:00.123456789Z"},
            ModelStatus("", pytest.approx(END.timestamp(), abs=1)),
        ),
        ({"retirementTime": "2031-12-01T01:00:00+01:00"}, ModelStatus("", END.timestamp())),
        ({"retirementTime": "2031-12-01T00:00:00"}, ModelStatus("", END.timestamp())),
        ("DEPRECATED", ModelStatus()),
        (None, ModelStatus()),
    ],
)
def test_a_status_is_read_whatever_it_holds(status, told):
    body = json.dumps({"name": "models/m", "modelStatus": status, "modelVersion": "m-001"})
    assert read_model(body) == told
    reply = read_reply(body)
    assert (reply.status, reply.model) == (told, "m-001")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("{}", Unavailable),
        ('{"name": 3}', Unavailable),
        ("[]", Unavailable),
        ('{"name": "models/', Unavailable),
        ("<html><title>Hello</title></html>", WrongAddress),
        ('{"name": "m", "supportedGenerationMethods": ["embedContent"]}', ModelRefused),
        ('{"error": {"code": 403, "message": "leaked"}}', InvalidKey),
    ],
)
def test_what_tells_of_no_model_is_a_refusal(body, kind):
    with pytest.raises(kind):
        read_model(body)


async def listed(server: OpenAIServer, model: str, secret: str = "") -> ModelStatus | Refusal:
    async with (
        server.serving() as url,
        OpenAIClient.connected(base_url=url, timeout_s=5.0) as client,
    ):
        return secretive(await come_of(client.look_up(Key("k", "p", secret), model)), secret)


@pytest.mark.parametrize(
    ("names", "model", "kind"),
    [
        (["llava"], "llava", ModelStatus),
        (["llava:latest"], "llava", ModelStatus),
        (["models/gemini-x"], "gemini-x", ModelStatus),
        ([], "llava", ModelStatus),
        (["llava:7b", "other"], "llava", ModelRefused),
    ],
)
async def test_a_server_that_speaks_openai_is_asked_for_its_list(names, model, kind):
    pytest.importorskip("openai", reason="the extra `openai` is not installed")
    server = OpenAIServer({}, models=frozenset(names))
    assert isinstance(await listed(server, model), kind)
    assert server.seen == []


async def test_a_list_that_wants_another_key_or_is_none_is_a_refusal():
    pytest.importorskip("openai", reason="the extra `openai` is not installed")
    secret = "sk-SecretOfTheTest0123456789"
    refusal = await listed(OpenAIServer({}, api_key="sk-another"), "llava", secret)
    assert isinstance(refusal, InvalidKey)
    refusal = await listed(OpenAIServer({}, lists_models=False), "llava", secret)
    assert isinstance(refusal, WrongAddress)


async def test_a_key_that_may_not_list_models_may_still_be_good():
    pytest.importorskip("openai", reason="the extra `openai` is not installed")
    scopes = "You have insufficient permissions for this operation. Missing scopes: api.model.read."
    secret = "sk-SecretOfTheTest0123456789"
    for status in (401, 403):
        refusal = await listed(OpenAIServer({}, list_error=(status, scopes)), "llava", secret)
        assert isinstance(refusal, Unavailable)
        assert "insufficient permissions" in refusal.reason
