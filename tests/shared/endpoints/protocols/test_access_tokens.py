"""Access tokens: what those who hand them out may say, and what a server repeats."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from shared.endpoints.keys.cloud_account import CloudAccount
from shared.endpoints.keys.key import Key
from shared.endpoints.protocols.gemini import Gemini
from shared.endpoints.refusals.refusal import BadRequest, InvalidKey, Refusal, Unavailable
from shared.program.reporting.secret_mask import SecretMask
from tests.fakes.service_account import write_service_account
from tests.shared.endpoints.protocols.test_like_the_sdk import MODEL, REQUESTS

REQUEST = REQUESTS["listing"]
TOKEN = "ya29.token-that-nobody-may-see"
GOOD = json.dumps({"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"})
SHORT = json.dumps({"access_token": TOKEN, "expires_in": 100, "token_type": "Bearer"})


@dataclass
class Cloud:
    """Gives tokens as ``answers`` say, the last one again and again, and repeats what it got."""

    folder: Path
    answers: list[tuple[int, str]]
    status: int = 200
    url: str = ""
    tokens_asked: int = 0
    revoked: str = ""
    seen: list[dict[str, str]] = field(default_factory=list)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Cloud]:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/token", self._token)
        app.router.add_post("/{path:.*}", self._content)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _token(self, _: web.Request) -> web.Response:
        status, body = self.answers[min(self.tokens_asked, len(self.answers) - 1)]
        self.tokens_asked += 1
        return web.Response(status=status, text=body, content_type="application/json")

    async def _content(self, request: web.Request) -> web.Response:
        await request.read()
        self.seen.append(dict(request.headers))
        if request.headers["Authorization"] == self.revoked:
            return web.json_response({"error": {"code": 401, "message": "revoked"}}, status=401)
        told = f"it came with {request.headers['Authorization']}"
        part = {"content": {"parts": [{"text": told}]}, "finishReason": "STOP"}
        body: dict[str, Any] = {"candidates": [part]}
        if self.status != 200:
            body = {"error": {"code": self.status, "message": told}}
        return web.json_response(body, status=self.status)

    def key(self, **more: str) -> Key:
        path = write_service_account(self.folder / "account.json", self.url, "our-cloud")
        path.write_text(json.dumps(json.loads(path.read_text()) | more))
        account = CloudAccount("our-cloud", "global", path, "curator@our-cloud")
        return Key("cloud", account.place, "", account=account)


async def asked(cloud: Cloud, key: Key, times: int = 1) -> str:
    async with Gemini.connected(connections=2, base_url=cloud.url, mask=SecretMask()) as gemini:
        for _ in range(times):
            reply = await gemini.generate(REQUEST, key, MODEL)
    return reply.body


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, "<html>Log in to the wireless network</html>", Unavailable),
        (200, "[]", Unavailable),
        (200, '{"access_token": "t", "expires_in": "soon"}', Unavailable),
        (200, "{}", InvalidKey),
        (302, "", InvalidKey),
        (400, '{"error": "invalid_grant", "error_description": "Invalid JWT."}', InvalidKey),
        (403, "<html>no</html>", InvalidKey),
    ],
)  # fmt: skip
async def test_what_brings_no_token_is_a_refusal(
    status: int, body: str, kind: type[Refusal], tmp_path: Path
) -> None:
    async with Cloud(tmp_path, [(status, body)]).serving() as cloud:
        with pytest.raises(Refusal) as caught:
            await asked(cloud, cloud.key())
    assert type(caught.value) is kind
    assert "access token of curator@our-cloud" in caught.value.reason
    assert (cloud.seen, len(caught.value.reason.splitlines())) == ([], 1)


@pytest.mark.parametrize("status", [200, 400])
async def test_a_token_that_a_server_repeats_is_masked(status: int, tmp_path: Path) -> None:
    async with Cloud(tmp_path, [(200, GOOD)], status=status).serving() as cloud:
        if status == 200:
            told = await asked(cloud, cloud.key())
        else:
            with pytest.raises(BadRequest) as caught:
                await asked(cloud, cloud.key())
            told = caught.value.reason
    assert "it came with Bearer [secret]" in told
    assert TOKEN not in told


async def test_a_token_near_its_end_serves_while_no_other_is_to_be_had(tmp_path: Path) -> None:
    refused = (400, '{"error": "invalid_grant"}')
    async with Cloud(tmp_path, [(200, SHORT), refused]).serving() as cloud:
        await asked(cloud, cloud.key(), times=3)
    assert {each["Authorization"] for each in cloud.seen} == {f"Bearer {TOKEN}"}
    assert cloud.tokens_asked == 3


async def test_a_project_for_quota_goes_along_as_the_sdk_sends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Cloud(tmp_path, [(200, GOOD)]).serving() as cloud:
        file = cloud.key().account
        assert file is not None
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file.credentials))
        account = CloudAccount("our-cloud", "global")
        default = Key("default", account.place, "", account=account)
        await asked(cloud, default)
        monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "who-pays")
        await asked(cloud, default)
    assert [each.get("x-goog-user-project") for each in cloud.seen] == [None, "who-pays"]


async def test_a_private_key_that_is_none_is_not_quoted(tmp_path: Path) -> None:
    async with Cloud(tmp_path, [(200, GOOD)]).serving() as cloud:
        with pytest.raises(InvalidKey) as caught:
            await asked(cloud, cloud.key(private_key="no key but still secret"))
    assert "its private_key cannot be read" in caught.value.reason
    assert "still secret" not in caught.value.reason


async def test_many_requests_at_once_ask_for_one_token(tmp_path: Path) -> None:
    later = GOOD.replace(TOKEN, "ya29.the-next-token")
    async with Cloud(tmp_path, [(200, GOOD), (200, later)]).serving() as cloud:
        key = cloud.key()
        async with Gemini.connected(connections=20, base_url=cloud.url) as gemini:
            async with asyncio.TaskGroup() as group:
                for _ in range(20):
                    group.create_task(gemini.generate(REQUEST, key, MODEL))
            assert cloud.tokens_asked == 1
            # The first is revoked while many are under way.
            cloud.revoked = f"Bearer {TOKEN}"
            async with asyncio.TaskGroup() as group:
                for _ in range(20):
                    group.create_task(gemini.generate(REQUEST, key, MODEL))
    assert cloud.tokens_asked == 2
    assert [each["Authorization"] for each in cloud.seen].count("Bearer ya29.the-next-token") == 20
