"""Jobs from their file to their results, through the SDK's public calls."""

from __future__ import annotations

import io
import json

import pytest
from google.genai import errors, types

from curator.rehearsal.doors.door import LARGEST_BODY
from tests.curator.rehearsal.batches.calls import (
    client,
    lines,
    made,
    operation,
    request,
    results,
    text,
    uploaded,
)
from tests.curator.rehearsal.conftest import KNOWN, MODEL, Play, Stage

KEYS = [
    {"api_key": "good", "project": "ours"},
    {"api_key": "second", "project": "ours"},
    {"api_key": "stranger", "project": "theirs"},
]
PROJECTS = [{"name": "ours"}, {"name": "theirs"}]


def both(stage: Stage) -> bytes:
    return lines([("shoe", request(stage.image)), ("lamp", request(stage.other))])


async def test_a_job_goes_from_its_file_to_its_results(play: Play):
    async with play(batch={"pending_s": 60, "running_s": 600}) as stage:
        sdk = client(stage)
        job = await made(sdk, both(stage), display_name="two images")
        assert job.state is types.JobState.JOB_STATE_PENDING
        assert (job.display_name, job.model) == ("two images", f"models/{MODEL}")
        stage.clock.advance(60)
        seen = await sdk.aio.batches.get(name=job.name)
        assert seen.state is types.JobState.JOB_STATE_RUNNING
        assert not seen.done
        stage.clock.advance(600)
        seen = await sdk.aio.batches.get(name=job.name)
        assert seen.state is types.JobState.JOB_STATE_SUCCEEDED
        assert seen.done
        assert (seen.end_time - seen.create_time).total_seconds() == 660
        by_key = {line["key"]: line for line in await results(sdk, job)}
        _, told = await operation(stage, job.name)
        figures = await stage.stats()
    for name in ("shoe", "lamp"):
        pairs = [(one["question"], one["answer"]) for one in json.loads(text(by_key[name]))]
        assert pairs == KNOWN[f"{name}.png"]
        reply = by_key[name]["response"]
        assert reply["modelVersion"] == MODEL
        assert reply["usageMetadata"]["promptTokensDetails"][1]["modality"] == "IMAGE"
        assert "serviceTier" not in reply["usageMetadata"]
    assert told["done"] is True
    assert told["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"
    assert told["metadata"]["batchStats"] == {"requestCount": "2", "successfulRequestCount": "2"}
    assert told["response"]["responsesFile"] == told["metadata"]["output"]["responsesFile"]
    assert figures["images"] == {
        "answered": 2,
        "repeats": 0,
        "request_repeats": 0,
        "ambiguous": 0,
    }
    assert figures["tokens"]["prompt"] > 0
    assert figures["batch"]["jobs"] == {"succeeded": 1}
    assert figures["batch"]["requests"] == {"answered": 2}
    assert figures["batch"]["requests_sent"] == 2


async def test_an_image_that_a_plain_request_answered_as_well_is_a_repeat(play: Play):
    async with play() as stage:
        await stage.ask()
        await made(client(stage), both(stage))
        figures = await stage.stats()
    assert (figures["images"]["answered"], figures["images"]["repeats"]) == (2, 1)


async def test_requests_may_stand_in_the_job(play: Play):
    async with play() as stage:
        sdk = client(stage)
        part = types.Part.from_bytes(data=stage.image, mime_type="image/jpeg")
        asked = types.InlinedRequest(contents=["Write 2 questions.", part], metadata={"n": "7"})
        job = await sdk.aio.batches.create(model=MODEL, src=[asked])
        assert job.dest is None
        job = await sdk.aio.batches.get(name=job.name)
        [answered] = job.dest.inlined_responses
        files = (await stage.stats())["batch"]["files"]
    assert "what is shown?" in answered.response.text
    assert answered.metadata == {"n": "7"}
    assert files["generated"] == 0


async def test_jobs_are_shown_to_the_project_that_made_them(play: Play):
    async with play(key=KEYS, project=PROJECTS) as stage:
        job = await made(client(stage), both(stage))
        assert (await client(stage, "second").aio.batches.get(name=job.name)).name == job.name
        stranger = client(stage, "stranger")
        with pytest.raises(errors.ClientError, match="404"):
            await stranger.aio.batches.get(name=job.name)
        with pytest.raises(errors.ClientError, match="404"):
            await stranger.aio.batches.cancel(name=job.name)
        assert [one async for one in await stranger.aio.batches.list()] == []
        done = await client(stage).aio.batches.get(name=job.name)
        with pytest.raises(errors.ClientError, match="do not have permission"):
            await stranger.aio.files.download(file=done.dest.file_name)


async def test_a_list_of_jobs_comes_in_pages_the_newest_first(play: Play):
    async with play() as stage:
        sdk = client(stage)
        names = []
        for number in range(5):
            stage.clock.advance(1)
            names.append((await made(sdk, both(stage), display_name=f"job {number}")).name)
        pages = await sdk.aio.batches.list(config={"page_size": 2})
        assert [job.name async for job in pages] == names[::-1]
        calls = (await stage.stats())["calls"]
    assert calls["list_batches"] == 3


async def test_a_job_is_cancelled_until_it_is_over(play: Play):
    async with play(batch={"running_s": 600, "cancelling_s": 30}) as stage:
        sdk = client(stage)
        job = await made(sdk, both(stage))
        await sdk.aio.batches.cancel(name=job.name)
        assert (await sdk.aio.batches.get(name=job.name)).state.endswith("RUNNING")
        stage.clock.advance(30)
        assert (await sdk.aio.batches.get(name=job.name)).state.endswith("CANCELLED")
        stage.clock.advance(600)
        status, told = await operation(stage, job.name)
        assert told["error"]["code"] == 1
        assert "output" not in told["metadata"]
        with pytest.raises(errors.ClientError, match="already completed"):
            await sdk.aio.batches.cancel(name=job.name)
        figures = await stage.stats()
    assert (status, figures["images"]["answered"]) == (200, 0)
    assert figures["batch"]["jobs"] == {"cancelled": 1}


async def test_a_job_that_ends_while_it_is_cancelled_has_its_results(play: Play):
    async with play(batch={"running_s": 60, "cancelling_s": 90}) as stage:
        sdk = client(stage)
        job = await made(sdk, both(stage))
        await sdk.aio.batches.cancel(name=job.name)
        for seconds in (60, 60):
            stage.clock.advance(seconds)
            assert (await sdk.aio.batches.get(name=job.name)).state.endswith("SUCCEEDED")
        assert len(await results(sdk, job)) == 2


async def test_a_deleted_job_is_not_shown_and_goes_on(play: Play):
    async with play(batch={"running_s": 600}) as stage:
        sdk = client(stage)
        job = await made(sdk, both(stage))
        await sdk.aio.batches.delete(name=job.name)
        with pytest.raises(errors.ClientError, match="404"):
            await sdk.aio.batches.get(name=job.name)
        stage.clock.advance(600)
        assert (await stage.stats())["images"]["answered"] == 2


async def test_jobs_count_against_quotas_of_their_own(play: Play):
    project = [{"name": "ours", "rpm": 1, "rpd": 1, "batch_jobs": 2}]
    async with play(key=KEYS[:2], project=project, batch={"running_s": 600}) as stage:
        sdk = client(stage)
        for _ in range(2):
            await made(sdk, both(stage))
        with pytest.raises(errors.ClientError, match="exceeded your current quota") as caught:
            await made(client(stage, "second"), both(stage))
        kinds = [one["@type"].split(".")[-1] for one in caught.value.details["error"]["details"]]
        assert (caught.value.code, kinds) == (429, ["Help"])
        stage.clock.advance(600)
        await made(sdk, both(stage))
        assert (await stage.ask()).text


async def test_tokens_under_way_are_limited_by_model(play: Play):
    project = [{"name": "ours", "batch_tokens": 1_000}]
    async with play(key=KEYS[:2], project=project, batch={"running_s": 600}) as stage:
        sdk = client(stage)
        await made(sdk, lines([("one", request(stage.image))]))
        file = await uploaded(sdk, both(stage))
        with pytest.raises(errors.ClientError, match="429"):
            await sdk.aio.batches.create(model=MODEL, src=file.name)
        await sdk.aio.batches.create(model="another-model", src=file.name)


async def test_a_model_that_takes_no_jobs(play: Play):
    async with play(model=[{"name": MODEL, "tiers": ["standard"]}]) as stage:
        with pytest.raises(errors.ClientError, match="not supported for batchGenerateContent"):
            await made(client(stage), both(stage))


@pytest.mark.parametrize(("state", "status"), [("leaked", 403), ("unpaid", 429), ("closed", 404)])
async def test_a_key_that_makes_no_jobs(play: Play, state: str, status: int):
    key = [{"api_key": "bad", "state": state, "project": "ours"}, *KEYS[:1]]
    async with play(key=key, project=PROJECTS) as stage:
        file = await uploaded(client(stage), both(stage))
        with pytest.raises(errors.ClientError) as caught:
            await client(stage, "bad").aio.batches.create(model=MODEL, src=file.name)
    assert caught.value.code == status


async def test_a_key_dies_after_some_jobs_and_is_not_to_be_used_again(play: Play):
    keys = [{"api_key": "good", "state": "leaked", "valid_for": 1, "project": "ours"}, *KEYS[1:2]]
    async with play(key=keys, project=PROJECTS) as stage:
        sdk = client(stage)
        job = await made(sdk, both(stage))
        for _ in range(2):
            with pytest.raises(errors.ClientError, match="leaked"):
                await sdk.aio.batches.get(name=job.name)
        assert len(await results(client(stage, "second"), job)) == 2
        figures = await stage.stats()
    assert figures["keys"]["key-1"]["jobs_asked_for"] == 1
    assert figures["keys"]["key-1"]["requests_after_dead"] == 1


@pytest.mark.parametrize(
    "path",
    [
        f"/v1beta/models/{MODEL}:batchGenerateContent",
        f"/v1beta/models/{MODEL}:countTokens",
        "/upload/v1beta/files",
    ],
)
async def test_a_body_that_is_too_large_is_refused(play: Play, path: str):
    large = io.BytesIO(bytes(LARGEST_BODY + 1))
    async with (
        play() as stage,
        stage.session.post(f"{stage.base_url}{path}?key=good", data=large) as response,
    ):
        told = await response.json()
    assert (response.status, "payload size exceeds" in told["error"]["message"]) == (400, True)


BODIES = [
    b"",
    b"{",
    b"[]",
    b'{"batch": 5}',
    b'{"batch": {}}',
    b'{"batch": {"inputConfig": {"fileName": "files/a", "requests": {"requests": [{}]}}}}',
    b'{"batch": {"inputConfig": {"requests": {"requests": []}}}}',
    b'{"batch": {"inputConfig": {"requests": {"requests": [{"key": "a"}]}}}}',
    b'{"batch": {"inputConfig": {"requests": {"requests": [{"request": {}, "metadata": 1}]}}}}',
    b'{"batch": {"inputConfig": {"fileName": "files/a"}, "colour": 1}}',
    b'{"batch": {"inputConfig": {"fileName": "files/a"}, "priority": "high"}}',
    b'{"batch": {"inputConfig": {"fileName": "files/a"}, "displayName": 1}}',
    b'{"batch": {"inputConfig": {"fileName": 7}}}',
]


@pytest.mark.parametrize("body", BODIES)
async def test_a_body_that_makes_no_job_is_refused(play: Play, body: bytes):
    async with play() as stage:
        url = f"{stage.base_url}/v1beta/models/{MODEL}:batchGenerateContent?key=good"
        async with stage.session.post(url, data=body) as response:
            told = await response.json()
        assert (await stage.stats())["batch"]["jobs"] == {}
    assert (response.status, told["error"]["status"]) == (400, "INVALID_ARGUMENT")


async def test_requests_in_the_job_may_have_settings(play: Play):
    async with play() as stage:
        sdk = client(stage)
        part = types.Part.from_bytes(data=stage.image, mime_type="image/jpeg")
        asked = types.InlinedRequest(
            contents=["Write 2 questions.", part],
            config={
                "system_instruction": "Be brief.",
                "response_mime_type": "application/json",
                "max_output_tokens": 5,
                "media_resolution": "MEDIA_RESOLUTION_LOW",
            },
        )
        job = await sdk.aio.batches.create(model=MODEL, src=[asked])
        job = await sdk.aio.batches.get(name=job.name)
        [answered] = job.dest.inlined_responses
    assert answered.error is None
    assert answered.response.candidates[0].finish_reason is types.FinishReason.MAX_TOKENS


# aiohttp warns of parts of more than 1 MiB, which the SDK sends.
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_a_thousand_requests_are_answered_and_their_job_looked_at_again(play: Play):
    async with play() as stage:
        sdk = client(stage)
        job = await made(sdk, lines((f"{n}", request(stage.image, f"{n}")) for n in range(1_000)))
        rows = await results(sdk, job)
        again = await sdk.aio.batches.get(name=job.name)
        figures = await stage.stats()
    assert {row["key"] for row in rows} == {str(n) for n in range(1_000)}
    assert again.state is types.JobState.JOB_STATE_SUCCEEDED
    assert figures["batch"]["requests"] == {"answered": 1_000}
    assert figures["images"]["repeats"] == 999
