"""Files through the SDK's public calls, and uploads as they go over the wire."""

from __future__ import annotations

import base64
import hashlib
import io
from pathlib import Path

import pytest
from google.genai import errors, types

from tests.curator.rehearsal.batches.calls import (
    MODEL,
    client,
    lines,
    made,
    request,
    uploaded,
)
from tests.curator.rehearsal.conftest import Play, Stage

KEYS = [
    {"api_key": "good", "project": "ours"},
    {"api_key": "stranger", "project": "theirs"},
]
PROJECTS = [{"name": "ours"}, {"name": "theirs"}]
MIB = 1024 * 1024


async def test_an_uploaded_file_is_told_of(play: Play):
    async with play() as stage:
        sdk = client(stage)
        file = await uploaded(sdk, b'{"a": 1}\n', display_name="some lines")
        seen = await sdk.aio.files.get(name=file.name)
        figures = await stage.stats()
    assert seen.model_dump(exclude={"sdk_http_response"}) == file.model_dump(
        exclude={"sdk_http_response"}
    )
    assert (seen.display_name, seen.size_bytes) == ("some lines", 9)
    assert seen.mime_type == "application/jsonl"
    assert seen.state is types.FileState.ACTIVE
    assert seen.source is types.FileSource.UPLOADED
    assert seen.uri == f"{stage.base_url}/v1/{seen.name}"
    assert base64.b64decode(seen.sha256_hash) == hashlib.sha256(b'{"a": 1}\n').hexdigest().encode()
    assert (seen.expiration_time - seen.create_time).total_seconds() == 48 * 3600
    assert figures["batch"]["files"] == {"uploaded": 1, "generated": 0, "bytes": 9}
    assert figures["calls"] == {"upload": 1, "get_file": 1}


# aiohttp warns of parts of more than 1 MiB, which the SDK sends.
@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_a_file_goes_up_in_parts(play: Play, tmp_path: Path):
    path = tmp_path / "large.jsonl"
    path.write_bytes(bytes(range(256)) * (17 * MIB // 256) + b"end")
    async with play() as stage:
        file = await client(stage).aio.files.upload(
            file=path, config={"mime_type": "application/jsonl", "name": "my-own-name"}
        )
    assert file.name == "files/my-own-name"
    assert file.size_bytes == 17 * MIB + 3
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert base64.b64decode(file.sha256_hash).decode() == digest


async def test_an_empty_file_goes_up(play: Play):
    async with play() as stage:
        file = await uploaded(client(stage), b"")
        seen = await client(stage).aio.files.get(name=file.name)
    assert not seen.size_bytes


async def test_a_name_that_is_taken_or_none_is_refused(play: Play):
    async with play() as stage:
        sdk = client(stage)
        await uploaded(sdk, b"1", name="mine")
        with pytest.raises(errors.ClientError, match="409"):
            await uploaded(sdk, b"2", name="mine")
        for name in ("Mine", "-mine", "a" * 41):
            with pytest.raises(errors.ClientError, match="File ID"):
                await uploaded(sdk, b"2", name=name)


async def test_files_are_shown_to_their_project_for_their_time(play: Play):
    async with play(key=KEYS, project=PROJECTS, files={"kept_s": 3600}) as stage:
        file = await uploaded(client(stage), b"{}")
        stranger = client(stage, "stranger")
        with pytest.raises(errors.ClientError, match="do not have permission") as caught:
            await stranger.aio.files.get(name=file.name)
        assert caught.value.code == 403
        with pytest.raises(errors.ClientError, match="403"):
            await stranger.aio.files.delete(name=file.name)
        with pytest.raises(errors.ClientError, match="do not have permission"):
            await stranger.aio.batches.create(model=MODEL, src=file.name)
        assert [one async for one in await stranger.aio.files.list()] == []
        stage.clock.advance(3600)
        with pytest.raises(errors.ClientError, match="403"):
            await client(stage).aio.files.get(name=file.name)


async def test_files_are_listed_in_pages_and_deleted(play: Play):
    async with play() as stage:
        sdk = client(stage)
        names = []
        for number in range(5):
            stage.clock.advance(1)
            names.append((await uploaded(sdk, b"{}", display_name=f"file {number}")).name)
        found = await sdk.aio.files.list(config={"page_size": 2})
        assert [file.name async for file in found] == names[::-1]
        await sdk.aio.files.delete(name=names[0])
        with pytest.raises(errors.ClientError, match="403"):
            await sdk.aio.files.get(name=names[0])
        assert len([file async for file in await sdk.aio.files.list()]) == 4


async def test_no_file_is_left_out_of_a_list_while_others_are_deleted(play: Play):
    async with play() as stage:
        sdk = client(stage)
        names = [(await uploaded(sdk, b"{}")).name for _ in range(5)]
        seen = []
        async for file in await sdk.aio.files.list(config={"page_size": 2}):
            seen.append(file.name)
            await sdk.aio.files.delete(name=file.name)
    assert seen == names[::-1]


@pytest.mark.parametrize("query", ["pageToken=nonsense", "pageSize=many", "pageSize=-1"])
async def test_a_page_that_there_is_not_is_refused(play: Play, query: str):
    async with play() as stage:
        for kind in ("files", "batches"):
            url = f"{stage.base_url}/v1beta/{kind}?key=good&{query}"
            async with stage.session.get(url) as response:
                assert response.status == 400


async def test_results_alone_are_downloaded(play: Play):
    async with play() as stage:
        sdk = client(stage)
        file = await uploaded(sdk, b"{}")
        with pytest.raises(errors.ClientError, match="Only generated files"):
            await sdk.aio.files.download(file=file.name)
        job = await made(sdk, lines([("shoe", request(stage.image))]))
        job = await sdk.aio.batches.get(name=job.name)
        results = await sdk.aio.files.get(name=job.dest.file_name)
        assert results.source is types.FileSource.GENERATED
        content = await sdk.aio.files.download(file=results)
        assert len(content) == results.size_bytes
        url = f"{stage.base_url}/download/v1beta/{results.name}:download?alt=media&key=good"
        async with stage.session.get(url) as response:
            assert await response.read() == content


async def test_what_is_too_large_is_refused(play: Play):
    async with play(files={"largest_bytes": 100, "project_bytes": 150}) as stage:
        sdk = client(stage)
        with pytest.raises(errors.ClientError, match="exceeds the limit of 100 bytes") as caught:
            await uploaded(sdk, b" " * 101)
        assert caught.value.code == 400
        await uploaded(sdk, b" " * 100)
        with pytest.raises(errors.ClientError, match="storage exceeds the limit of 150"):
            await uploaded(sdk, b" " * 100)


@pytest.mark.parametrize(("state", "status"), [("invalid", 400), ("leaked", 403), ("unpaid", 200)])
async def test_a_bad_key_uploads_nothing(play: Play, state: str, status: int):
    async with play(key=[{"api_key": "good", "state": state}]) as stage:
        if status == 200:
            await uploaded(client(stage), b"{}")
        else:
            with pytest.raises(errors.ClientError) as caught:
                await uploaded(client(stage), b"{}")
            assert caught.value.code == status


async def begun(stage: Stage, size: int, body: bytes = b"{}", **headers: str) -> tuple[int, str]:
    """Begin an upload by hand; return its status and where its parts go."""
    told = {
        "x-goog-api-key": "good",
        "X-Goog-Upload-Protocol": "resumable",
        "X-Goog-Upload-Command": "start",
        "X-Goog-Upload-Header-Content-Length": str(size),
        "X-Goog-Upload-Header-Content-Type": "application/jsonl",
    }
    url = f"{stage.base_url}/upload/v1beta/files"
    async with stage.session.post(url, headers=told | headers, data=body) as response:
        return response.status, response.headers.get("X-Goog-Upload-URL", "")


async def part(
    stage: Stage, url: str, command: str, offset: int, content: bytes
) -> tuple[int, str, str]:
    """Send a part; return the status, that of the upload, and how much of it there is."""
    headers = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": str(offset)}
    async with stage.session.post(url, headers=headers, data=io.BytesIO(content)) as response:
        told = response.headers
        return (
            response.status,
            told.get("X-Goog-Upload-Status", ""),
            told.get("X-Goog-Upload-Size-Received", ""),
        )


async def test_an_upload_is_asked_about_gone_on_with_and_given_up(play: Play):
    size = 8 * MIB + 1
    async with play() as stage:
        _, url = await begun(stage, size)
        assert await part(stage, url, "upload", 0, bytes(8 * MIB)) == (200, "active", "")
        assert await part(stage, url, "query", 0, b"") == (200, "active", str(8 * MIB))
        last = await part(stage, url, "upload, finalize", 8 * MIB, b"x")
        assert last == (200, "final", "")
        assert (await part(stage, url, "query", 0, b""))[0] == 400
        _, url = await begun(stage, 10)
        assert await part(stage, url, "cancel", 0, b"") == (200, "cancelled", "")
        assert (await part(stage, url, "upload, finalize", 0, b"x" * 10))[0] == 400
        assert (await stage.stats())["batch"]["files"]["uploaded"] == 1


@pytest.mark.parametrize(
    ("command", "offset", "content"),
    [
        ("upload, finalize", 1, b"x" * 9),
        ("upload, finalize", 0, b"x" * 9),
        ("upload, finalize", 0, b"x" * 11),
        ("upload", 0, b"x" * 5),
        ("finalize", 0, b""),
        ("sing", 0, b""),
    ],
)
async def test_a_part_that_does_not_fit_ends_the_upload(
    play: Play, command: str, offset: int, content: bytes
):
    async with play() as stage:
        _, url = await begun(stage, 10)
        assert (await part(stage, url, command, offset, content))[:2] == (400, "final")
        assert (await stage.stats())["batch"]["files"]["uploaded"] == 0


async def test_other_protocols_of_upload_are_refused(play: Play):
    async with play() as stage:
        assert (await begun(stage, 10, **{"X-Goog-Upload-Protocol": "multipart"}))[0] == 400
        assert (await begun(stage, 10, **{"X-Goog-Upload-Header-Content-Length": "some"}))[0] == 400


async def test_of_two_uploads_under_one_name_the_first_that_ends_has_it(play: Play):
    body = b'{"file": {"name": "mine"}}'
    async with play() as stage:
        (_, first), (_, second) = [await begun(stage, 3, body) for _ in range(2)]
        assert (await part(stage, second, "upload, finalize", 0, b"two"))[:2] == (200, "final")
        assert (await part(stage, first, "upload, finalize", 0, b"one"))[:2] == (409, "final")
        file = await client(stage).aio.files.get(name="files/mine")
    assert base64.b64decode(file.sha256_hash).decode() == hashlib.sha256(b"two").hexdigest()
