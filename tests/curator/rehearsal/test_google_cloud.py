"""The door of Google Cloud, as the real SDK knocks at it with a token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google import genai
from google.auth.exceptions import RefreshError
from google.genai import errors, types
from google.oauth2.credentials import Credentials

from curator.rehearsal.doors.google_cloud import SHARED_REQUEST_TYPE
from curator.rehearsal.doors.tokens import OAUTH_PATH
from shared.errors import InputError
from tests.curator.rehearsal.conftest import MODEL, Play, Stage
from tests.fakes.service_account import write_service_account

CLOUD = {"api_key": "token-1", "label": "cloud", "project": "our-cloud", "enterprise": True}
PROJECT = [{"name": "our-cloud"}]


def client(
    stage: Stage, token: str = "token-1", *, project: str = "our-cloud", location: str = "global"
) -> genai.Client:
    return genai.Client(
        enterprise=True,
        project=project,
        location=location,
        credentials=Credentials(token=token),
        http_options=_options(stage),
    )


def _options(stage: Stage) -> types.HttpOptions:
    return types.HttpOptions(
        base_url=stage.base_url,
        retry_options=types.HttpRetryOptions(attempts=1),
        aiohttp_client=stage.session,
        client_args={"verify": stage.tls},
        async_client_args={"ssl": stage.tls, "verify": stage.tls},
    )


async def ask(sdk: genai.Client, stage: Stage, **config: Any) -> types.GenerateContentResponse:
    part = types.Part.from_bytes(data=stage.image, mime_type="image/png")
    return await sdk.aio.models.generate_content(
        model=MODEL,
        contents=["Write 2 questions.", part],
        config=types.GenerateContentConfig(**config),
    )


async def test_a_token_gets_answers(play: Play):
    async with play(key=[CLOUD], project=PROJECT) as stage:
        sdk = client(stage)
        reply = await ask(sdk, stage)
        counted = await sdk.aio.models.count_tokens(model=MODEL, contents=["abcdefgh"])
        told = await sdk.aio.models.get(model=MODEL)
        figures = await stage.stats()
    assert "what is shown?" in reply.text
    assert reply.model_version == MODEL
    assert reply.usage_metadata.traffic_type is types.TrafficType.ON_DEMAND
    assert counted.total_tokens == 2
    assert told.name == f"publishers/google/models/{MODEL}"
    assert figures["keys"]["cloud"]["outcomes"] == {"answered": 1}
    assert figures["images"]["answered"] == 1
    assert (figures["calls"], figures["look_ups"]) == ({"count_tokens": 1}, {"cloud": 1})


@pytest.mark.parametrize(
    ("state", "status", "reason"),
    [
        ("invalid", 401, "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        ("expired", 401, "ACCESS_TOKEN_EXPIRED"),
        ("denied", 403, "IAM_PERMISSION_DENIED"),
        ("unpaid", 403, "BILLING_DISABLED"),
        ("suspended", 403, "CONSUMER_SUSPENDED"),
    ],
)
async def test_a_bad_token_is_told_why(play: Play, state: str, status: int, reason: str):
    async with play(key=[CLOUD | {"state": state}], project=PROJECT) as stage:
        with pytest.raises(errors.ClientError) as caught:
            await ask(client(stage), stage)
    assert caught.value.code == status
    assert caught.value.details["error"]["details"][0]["reason"] == reason


async def test_a_token_is_good_for_its_project_alone(play: Play):
    async with play(key=[CLOUD], project=PROJECT) as stage:
        with pytest.raises(errors.ClientError, match="endpoints") as caught:
            await ask(client(stage, project="their-cloud"), stage)
        assert caught.value.code == 403
        with pytest.raises(errors.ClientError, match="401"):
            await ask(client(stage, "token-2"), stage)


async def test_keys_and_tokens_are_not_taken_for_each_other(play: Play):
    keys = [CLOUD, {"api_key": "good", "project": "our-cloud"}]
    async with play(key=keys, project=PROJECT) as stage:
        with pytest.raises(errors.ClientError, match="API key not valid"):
            await stage.ask("token-1")
        with pytest.raises(errors.ClientError, match="401"):
            await ask(client(stage, "good"), stage)
        place = f"projects/our-cloud/locations/global/publishers/google/models/{MODEL}"
        url = f"{stage.base_url}/v1beta1/{place}:generateContent"
        async with stage.session.post(url, headers={"x-goog-api-key": "good"}) as response:
            told = await response.json()
        assert (response.status, "API keys are not supported" in str(told)) == (401, True)
        async with stage.session.post(url) as response:
            told = await response.json()
        assert (response.status, "is missing required" in str(told)) == (401, True)


async def test_each_location_has_its_own_quota(play: Play):
    project = [{"name": "our-cloud", "rpm": 1}]
    async with play(key=[CLOUD], project=project) as stage:
        await ask(client(stage), stage)
        with pytest.raises(errors.ClientError, match="Resource exhausted") as caught:
            await ask(client(stage), stage)
        assert (caught.value.code, "details" in caught.value.details["error"]) == (429, False)
        assert (await ask(client(stage, location="europe-west4"), stage)).text


async def test_an_unknown_model_is_told(play: Play):
    async with play(key=[CLOUD], project=PROJECT, models=["another"]) as stage:
        with pytest.raises(errors.ClientError, match="Publisher Model"):
            await ask(client(stage), stage)
        with pytest.raises(errors.ClientError, match="404"):
            await client(stage).aio.models.get(model=MODEL)


@pytest.mark.parametrize("way", ["body", "header"])
async def test_flex_is_asked_for_in_the_body_or_a_header(play: Play, way: str):
    config: dict[str, Any] = {"service_tier": "flex"}
    if way == "header":
        config = {"http_options": {"headers": {SHARED_REQUEST_TYPE: "flex"}}}
    async with play(key=[CLOUD], project=PROJECT) as stage:
        reply = await ask(client(stage), stage, **config)
        figures = await stage.stats()
    assert reply.usage_metadata.traffic_type is types.TrafficType.ON_DEMAND_FLEX
    assert figures["tiers"] == {"flex": {"answered": 1}}


async def test_jobs_are_not_played_here(play: Play):
    async with play(key=[CLOUD], project=PROJECT) as stage:
        with pytest.raises(errors.ServerError, match="plays no batch jobs") as caught:
            await client(stage).aio.batches.create(model=MODEL, src="gs://bucket/lines.jsonl")
    assert caught.value.code == 501


async def test_faults_strike_here_too(play: Play):
    faults = [{"kind": "overloaded", "at": [1]}, {"kind": "exhausted", "at": [2]}]
    async with play(key=[CLOUD], project=PROJECT, fault=faults) as stage:
        with pytest.raises(errors.ServerError, match="503"):
            await ask(client(stage), stage)
        with pytest.raises(errors.ClientError, match="error-code-429"):
            await ask(client(stage), stage)
        assert (await ask(client(stage), stage)).text


async def test_a_service_account_gets_the_token_of_its_project(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with play(key=[CLOUD], project=PROJECT) as stage:
        path = write_service_account(tmp_path / "account.json", stage.base_url, "our-cloud")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        sdk = genai.Client(
            enterprise=True, project="our-cloud", location="global", http_options=_options(stage)
        )
        assert (await ask(sdk, stage)).text
        path = write_service_account(tmp_path / "account.json", stage.base_url, "their-cloud")
        sdk = genai.Client(
            enterprise=True, project="their-cloud", location="global", http_options=_options(stage)
        )
        with pytest.raises(RefreshError, match="account not found"):
            await ask(sdk, stage)


@pytest.mark.parametrize(
    "form",
    [
        {"grant_type": "password"},
        {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "nonsense"},
        {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "a.bm8.c"},
        "neither one nor the other",
    ],
)
async def test_no_token_is_given_for_nonsense(play: Play, form: dict[str, str] | str):
    async with (
        play(key=[CLOUD], project=PROJECT) as stage,
        stage.session.post(stage.base_url + OAUTH_PATH, data=form) as response,
    ):
        told = await response.json()
    assert response.status == 400
    assert "access_token" not in told


async def test_any_token_will_do_where_none_is_named(play: Play):
    keys = [
        {"label": "anywhere", "project": "our-cloud", "enterprise": True},
        {"label": "europe", "project": "their-cloud/europe-west4", "enterprise": True},
    ]
    projects = [*PROJECT, {"name": "their-cloud/europe-west4", "rpm": 1}]
    async with play(key=keys, project=projects) as stage:
        assert (await ask(client(stage, "ya29.any"), stage)).text
        theirs = {"project": "their-cloud", "location": "europe-west4"}
        assert (await ask(client(stage, "ya29.any", **theirs), stage)).text
        with pytest.raises(errors.ClientError, match="Resource exhausted"):
            await ask(client(stage, "ya29.another", **theirs), stage)
        with pytest.raises(errors.ClientError, match="401"):
            await ask(client(stage, "ya29.any", project="their-cloud"), stage)
        figures = await stage.stats()
    assert {
        label: key["requests"] for label, key in figures["keys"].items() if "un" not in label
    } == {
        "anywhere": 1,
        "europe": 2,
    }


async def test_unlisted_tokens_work_where_unlisted_keys_do(play: Play):
    async with play(key=[], accept_unlisted_keys=True) as stage:
        assert (await ask(client(stage, "ya29.any", project="any-cloud"), stage)).text
        assert (await stage.ask("AIza-any")).text


async def test_what_is_no_token_at_all_needs_a_key(play: Play):
    with pytest.raises(InputError, match="api_key is missing"):
        async with play(key=[{"label": "empty"}]):
            pass
