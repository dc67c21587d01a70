"""Google Cloud's door: asked as google-genai asks it, with tokens that come and go."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials

from curator.rehearsal.script import RehearsalScript
from curator.rehearsal.server import RehearsalServer
from curator.rehearsal.wiring import build_server, read_answers
from shared.endpoints.keys.cloud_account import CloudAccount
from shared.endpoints.keys.key import Key
from shared.endpoints.models.tier import Tier
from shared.endpoints.protocols.annotator import Connection
from shared.endpoints.protocols.doors.addresses import cloud_models_url
from shared.endpoints.protocols.gemini import PROTOCOL, Gemini
from shared.endpoints.refusals.refusal import (
    InvalidKey,
    ModelRefused,
    ProjectRefused,
    RateLimited,
    Refusal,
    Unreachable,
)
from shared.program.reporting.secret_mask import SecretMask
from shared.program.settings import validated
from tests.fakes.clock import FakeClock
from tests.fakes.service_account import write_service_account
from tests.shared.endpoints.protocols.test_like_the_sdk import (
    MODEL,
    REQUESTS,
    contents,
    leaves,
    meaning,
)

PROJECT = "our-cloud"
TOKENS = ("ya29.first-token-of-the-test", "ya29.second-token-of-the-test")
REQUEST = REQUESTS["listing"]


@dataclass
class Door:
    """A rehearsal of Google Cloud; ``received`` are the requests for content that came."""

    url: str
    server: RehearsalServer
    folder: Path
    received: list[Any] = field(default_factory=list)
    mask: SecretMask = field(default_factory=SecretMask)

    def key(self, project: str = PROJECT, location: str = "europe-west4", of: str = PROJECT) -> Key:
        path = write_service_account(self.folder / f"{of}.json", self.url, of)
        account = CloudAccount(project, location, path, f"curator@{of}")
        return Key("cloud", account.place, "", account=account)

    def connected(self, tier: Tier = Tier.STANDARD) -> Any:
        return PROTOCOL.connected(Connection(self.url, 7.5, 4, tier=tier, mask=self.mask))


Opened = Callable[..., Any]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    @asynccontextmanager
    async def door(*keys: dict[str, Any], **tables: Any) -> AsyncIterator[Door]:
        received: list[Any] = []
        told = keys or ({},)
        defaults: dict[str, Any] = {
            "project": [{"name": PROJECT}],
            "key": [
                {"api_key": token, "label": token[5:10], "project": PROJECT, "enterprise": True}
                | key
                for token, key in zip(TOKENS, told, strict=False)
            ],
        }
        script = validated(RehearsalScript, defaults | tables, source="test")
        answers = read_answers(script, tmp_path / "cache")
        server = build_server(script, answers, FakeClock(), received.append)
        async with server.serving() as url:
            yield Door(url, server, tmp_path, received)

    return door


@asynccontextmanager
async def sdk(door: Door, location: str) -> AsyncIterator[genai.Client]:
    async with aiohttp.ClientSession() as session:
        options = types.HttpOptions(
            base_url=door.url,
            timeout=7500,
            retry_options=types.HttpRetryOptions(attempts=1),
            aiohttp_client=session,
        )
        yield genai.Client(
            enterprise=True,
            project=PROJECT,
            location=location,
            credentials=Credentials(token=TOKENS[0]),
            http_options=options,
        )


@pytest.mark.parametrize("location", ["global", "us", "eu", "europe-west4", "us-central1"])
def test_each_location_is_asked_where_the_sdk_asks(location: str) -> None:
    client = genai.Client(
        enterprise=True,
        project=PROJECT,
        location=location,
        credentials=Credentials(token=TOKENS[0]),
    )
    options = client._api_client._http_options
    theirs = f"{options.base_url}{options.api_version}/projects/{PROJECT}/locations/{location}"
    ours = cloud_models_url(CloudAccount(PROJECT, location), None)
    assert ours == f"{theirs}/publishers/google/models"


@pytest.mark.parametrize("tier", [Tier.STANDARD, Tier.FLEX])
async def test_a_request_means_what_the_sdk_would_send(tier: Tier, opened: Opened) -> None:
    config: dict[str, Any] = {"service_tier": "flex"} if tier is Tier.FLEX else {}
    async with opened() as door:
        async with door.connected(tier) as gemini:
            reply = await gemini.generate(REQUEST, door.key(), MODEL)
        async with sdk(door, "europe-west4") as client:
            await client.aio.models.generate_content(
                model=MODEL,
                contents=contents(REQUEST),
                config=types.GenerateContentConfig(
                    response_mime_type="application/json",
                    response_schema=REQUEST.schema.content,
                    **config,
                ),
            )
    ours, theirs = door.received
    assert ours.path == theirs.path
    for header in ("authorization", "content-type", "x-server-timeout"):
        assert ours.headers[header] == theirs.headers[header]
    assert "x-goog-api-key" not in ours.headers
    meant = meaning(json.loads(ours.body))
    assert meant == meaning(json.loads(theirs.body))
    assert (".serviceTier" in leaves(meant)) is (tier is Tier.FLEX)
    assert (reply.tier, reply.model) == (tier, MODEL)
    assert reply.input_tokens > 0
    assert reply.text


async def test_a_look_costs_nothing_and_asks_about_the_project_in_its_location(
    opened: Opened,
) -> None:
    closed = {"name": MODEL, "closed_to": [PROJECT]}
    async with opened() as door, door.connected() as gemini:
        await gemini.look_up(door.key(), MODEL)
        with pytest.raises(InvalidKey):
            await gemini.look_up(door.key("their-cloud"), MODEL)
        stats = door.server.stats()
    assert (stats["calls"], stats["requests"]) == ({"count_tokens": 1}, 0)
    async with opened(model=[closed]) as door, door.connected() as gemini:
        with pytest.raises(ModelRefused):
            await gemini.look_up(door.key(), MODEL)


async def test_one_token_serves_all_requests_and_is_hidden(opened: Opened) -> None:
    async with opened() as door, door.connected() as gemini:
        for _ in range(5):
            reply = await gemini.generate(REQUEST, door.key(), MODEL)
    assert {each.headers["authorization"] for each in door.received} == {f"Bearer {TOKENS[0]}"}
    assert TOKENS[0] not in reply.body
    assert door.mask(f"told {TOKENS[0]}") == "told [secret]"


async def test_a_token_that_is_refused_is_renewed_once(opened: Opened) -> None:
    async with opened({"state": "expired", "valid_for": 2}, {}) as door, door.connected() as gemini:
        for _ in range(6):
            await gemini.generate(REQUEST, door.key(), MODEL)
    tokens = [each.headers["authorization"] for each in door.received]
    assert tokens == [f"Bearer {TOKENS[0]}"] * 3 + [f"Bearer {TOKENS[1]}"] * 4
    assert door.mask(TOKENS[1]) == "[secret]"


async def test_an_account_whose_new_tokens_are_refused_is_at_fault(opened: Opened) -> None:
    async with opened({"state": "invalid"}) as door, door.connected() as gemini:
        with pytest.raises(InvalidKey, match="no access token of curator@our-cloud is taken"):
            await gemini.generate(REQUEST, door.key(), MODEL)
        assert len(door.received) == 2


async def test_an_account_that_gets_no_token_is_at_fault(opened: Opened) -> None:
    async with opened() as door, door.connected() as gemini:
        with pytest.raises(InvalidKey, match=r"curator@their-cloud .*account not found.*log in"):
            await gemini.generate(REQUEST, door.key(of="their-cloud"), MODEL)
        assert door.received == []


async def test_nobody_who_hands_out_tokens_is_no_fault_of_the_account(opened: Opened) -> None:
    async with opened() as door:
        key = door.key()
    async with Gemini.connected(connections=1) as gemini:
        with pytest.raises(Unreachable, match="no answer to who asks for an access token"):
            await gemini.generate(REQUEST, key, MODEL)


@pytest.mark.parametrize(
    ("state", "refusal", "said"),
    [
        ("denied", InvalidKey, "roles/aiplatform.user"),
        ("unpaid", ProjectRefused, "turn billing on"),
        ("suspended", InvalidKey, "CONSUMER_SUSPENDED"),
    ],
)
async def test_each_refusal_is_blamed_on_whose_it_is(
    state: str, refusal: type[Refusal], said: str, opened: Opened
) -> None:
    async with opened({"state": state}) as door, door.connected() as gemini:
        with pytest.raises(refusal) as caught:
            await gemini.generate(REQUEST, door.key(), MODEL)
    assert said in caught.value.reason


async def test_a_model_that_a_location_lacks_and_its_quota_are_told(opened: Opened) -> None:
    async with opened(models=["another"]) as door, door.connected() as gemini:
        with pytest.raises(ModelRefused, match="Publisher Model"):
            await gemini.generate(REQUEST, door.key(), MODEL)
    async with opened(project=[{"name": PROJECT, "rpm": 1}]) as door, door.connected() as gemini:
        await gemini.generate(REQUEST, door.key(), MODEL)
        with pytest.raises(RateLimited, match="RESOURCE_EXHAUSTED"):
            await gemini.generate(REQUEST, door.key(), MODEL)
        await gemini.generate(REQUEST, door.key(location="us-central1"), MODEL)
