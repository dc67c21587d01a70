"""What goes wrong with jobs and their files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import aiohttp
import pytest
from google.genai import errors, types

from curator.rehearsal.script import read_script
from shared.errors import InputError
from tests.curator.rehearsal.batches.calls import (
    client,
    faults,
    four,
    made,
    operation,
    results,
    uploaded,
)
from tests.curator.rehearsal.conftest import MODEL, Play


@pytest.mark.parametrize(
    ("kind", "state", "code"),
    [("failed", "FAILED", 13), ("expired", "EXPIRED", 4), ("cancelled", "CANCELLED", 1)],
)
async def test_a_job_ends_without_results(play: Play, kind: str, state: str, code: int):
    async with play(batch=faults(kind, running_s=60)) as stage:
        sdk = client(stage)
        job = await made(sdk, four(stage))
        assert (await sdk.aio.batches.get(name=job.name)).state.endswith("RUNNING")
        stage.clock.advance(60)
        seen = await sdk.aio.batches.get(name=job.name)
        _, told = await operation(stage, job.name)
        assert (seen.state, seen.done, seen.dest) == (f"JOB_STATE_{state}", True, None)
        assert told["metadata"]["state"] == f"BATCH_STATE_{state}"
        assert (told["done"], told["error"]["code"]) == (True, code)
        assert told["metadata"]["batchStats"] == {"requestCount": "4", "failedRequestCount": "4"}
        figures = await stage.stats()
        again = await made(sdk, four(stage))
        stage.clock.advance(60)
        assert len(await results(sdk, again)) == 4, "the first alone went wrong"
    assert figures["images"]["answered"] == 0


@pytest.mark.parametrize("kind", ["empty", "blank"])
async def test_a_job_succeeds_with_nothing(play: Play, kind: str):
    async with play(batch=faults(kind)) as stage:
        sdk = client(stage)
        job = await made(sdk, four(stage))
        seen = await sdk.aio.batches.get(name=job.name)
        assert seen.state is types.JobState.JOB_STATE_SUCCEEDED
        if kind == "empty":
            assert seen.dest is None
        else:
            assert await sdk.aio.files.download(file=seen.dest.file_name) == b""
        figures = await stage.stats()
    assert figures["batch"]["requests"] == {"lost_with_job": 4}
    assert figures["images"]["answered"] == 0


@pytest.mark.filterwarnings("ignore:.*PARTIALLY_SUCCEEDED:UserWarning")
async def test_a_job_succeeds_in_part(play: Play):
    async with play(batch=faults("partly")) as stage:
        sdk = client(stage)
        job = await made(sdk, four(stage))
        _, told = await operation(stage, job.name)
        assert [row["key"] for row in await results(sdk, job)] == ["a", "b"]
        figures = await stage.stats()
    assert told["metadata"]["state"] == "BATCH_STATE_PARTIALLY_SUCCEEDED"
    stats = {"requestCount": "4", "successfulRequestCount": "2", "failedRequestCount": "2"}
    assert told["metadata"]["batchStats"] == stats
    assert figures["batch"]["requests"] == {"answered": 2, "lost_with_job": 2}


async def test_a_job_comes_late_or_not_at_all(play: Play):
    async with play(batch=faults("late", running_s=60, late_s=3600)) as stage:
        sdk = client(stage)
        job = await made(sdk, four(stage))
        stage.clock.advance(3659)
        assert (await sdk.aio.batches.get(name=job.name)).state.endswith("RUNNING")
        stage.clock.advance(1)
        assert len(await results(sdk, job)) == 4
    async with play(batch=faults("late", late_s=7200, expires_s=3600)) as stage:
        job = await made(client(stage), four(stage))
        stage.clock.advance(3600)
        assert (await client(stage).aio.batches.get(name=job.name)).state.endswith("EXPIRED")


async def test_the_results_of_a_job_that_succeeded_come_late(play: Play):
    async with play(batch=faults("output_late", output_late_s=90)) as stage:
        sdk = client(stage)
        job = await made(sdk, four(stage))
        seen = await sdk.aio.batches.get(name=job.name)
        assert (seen.state.endswith("SUCCEEDED"), seen.dest) == (True, None)
        stage.clock.advance(90)
        assert len(await results(sdk, job)) == 4


@pytest.mark.filterwarnings("ignore:.*AWAITING_REVIEW:UserWarning")
async def test_a_job_in_a_state_that_nobody_knows(play: Play):
    async with play(batch=faults("unknown_state", running_s=60)) as stage:
        sdk = client(stage)
        job = await made(sdk, four(stage))
        _, told = await operation(stage, job.name)
        assert told["metadata"]["state"] == "BATCH_STATE_AWAITING_REVIEW"
        assert "done" not in told
        stage.clock.advance(60)
        _, told = await operation(stage, job.name)
        assert told["done"] is True
        assert not (await sdk.aio.batches.get(name=job.name)).done, "as the SDK takes it"
        assert told["response"]["responsesFile"]


async def test_a_job_that_is_made_without_being_told_of(play: Play):
    async with play(batch=faults("create_dropped")) as stage:
        sdk = client(stage)
        file = await uploaded(sdk, four(stage))
        with pytest.raises(aiohttp.ClientError):
            await sdk.aio.batches.create(
                model=MODEL, src=file.name, config={"display_name": "the one"}
            )
        [job] = [job async for job in await sdk.aio.batches.list()]
        assert job.display_name == "the one"
        assert len(await results(sdk, job)) == 4


async def test_a_job_that_is_not_made(play: Play):
    async with play(batch=faults("create_refused")) as stage:
        sdk = client(stage)
        with pytest.raises(errors.ServerError, match="503"):
            await made(sdk, four(stage))
        assert [job async for job in await sdk.aio.batches.list()] == []
        assert (await stage.stats())["batch"]["refused"] == {"create_refused": 1}
        await made(sdk, four(stage))


async def test_an_upload_fails(play: Play):
    async with play(batch=faults("upload_failed")) as stage:
        with pytest.raises(errors.ServerError, match="503"):
            await uploaded(client(stage), b"{}")
        assert (await stage.stats())["batch"]["files"]["uploaded"] == 0
        await uploaded(client(stage), b"{}")


async def test_a_file_is_kept_without_being_told_of(play: Play):
    async with play(batch=faults("upload_dropped")) as stage:
        sdk = client(stage)
        with pytest.raises(aiohttp.ClientError):
            await uploaded(sdk, b"{}", display_name="the one")
        [file] = [file async for file in await sdk.aio.files.list()]
    assert (file.display_name, file.size_bytes) == ("the one", 2)


async def test_a_job_is_not_there_any_more(play: Play):
    async with play(batch=faults("gone", running_s=60)) as stage:
        sdk = client(stage)
        job = await made(sdk, four(stage))
        assert (await sdk.aio.batches.get(name=job.name)).state.endswith("RUNNING")
        stage.clock.advance(60)
        with pytest.raises(errors.ClientError, match="404"):
            await sdk.aio.batches.get(name=job.name)
        assert [job async for job in await sdk.aio.batches.list()] == []
        figures = await stage.stats()
    assert figures["batch"]["requests"] == {"lost_with_job": 4}
    assert figures["batch"]["files"]["generated"] == 0


async def test_a_look_at_a_job_fails_and_one_is_cut_off(play: Play):
    batch = {"fault": [{"kind": "look_failed", "at": [1]}, {"kind": "look_cut", "at": [2]}]}
    async with play(batch=batch) as stage:
        sdk = client(stage)
        job = await made(sdk, four(stage))
        with pytest.raises(errors.ServerError, match="503"):
            await sdk.aio.batches.get(name=job.name)
        with pytest.raises(json.JSONDecodeError):
            await sdk.aio.batches.get(name=job.name)
        assert len(await results(sdk, job)) == 4


async def test_a_download_fails_and_one_is_cut_off(play: Play):
    batch = {
        "fault": [
            {"kind": "download_failed", "at": [1]},
            {"kind": "download_cut", "at": [2]},
        ]
    }
    async with play(batch=batch) as stage:
        sdk = client(stage)
        job = await made(sdk, four(stage))
        with pytest.raises(errors.ServerError, match="503"):
            await results(sdk, job)
        with pytest.raises(aiohttp.ClientPayloadError):
            await results(sdk, job)
        assert len(await results(sdk, job)) == 4


async def test_a_line_that_cannot_be_read_refuses_the_job(play: Play):
    async with play() as stage:
        sdk = client(stage)
        good = four(stage).splitlines(keepends=True)[0]
        for bad in (b"{nonsense\n", b"[]\n", b'{"key": "x"}\n', b'{"request": {}, "kee": 1}\n'):
            with pytest.raises(errors.ClientError, match="at line 3") as caught:
                await made(sdk, good + b"\n" + bad + good)
            assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
        with pytest.raises(errors.ClientError, match="contains no requests"):
            await made(sdk, b"\n")
        figures = await stage.stats()
    assert figures["batch"]["refused"] == {"malformed": 5}
    assert figures["batch"]["jobs"] == {}


async def test_a_file_of_another_type_is_refused(play: Play):
    async with play() as stage:
        sdk = client(stage)
        file = await uploaded(sdk, four(stage), mime_type="image/png")
        with pytest.raises(errors.ClientError, match="Unsupported MIME type"):
            await sdk.aio.batches.create(model=MODEL, src=file.name)


@pytest.mark.parametrize(
    ("kind", "words"), [("swaped", "did you mean 'swapped'?"), ("slow", "there are late, empty")]
)
def test_an_unknown_kind_is_refused(tmp_path: Path, kind: str, words: str):
    path = tmp_path / "script.toml"
    fault = f'[[batch.fault]]\nkind = "{kind}"\nrate = 0.1\n'
    path.write_text(f'answers = "a"\nimages = "b"\n{fault}')
    with pytest.raises(InputError, match=re.escape(words)):
        read_script(path)
