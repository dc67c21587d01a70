"""Whatever a server answers to files and jobs becomes a refusal, and no key shows in it."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from curator.annotators.batch.gemini_batch import GeminiBatch, NoSuchJob
from curator.annotators.batch.job_state import JobState
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import Quota
from shared.endpoints.protocols.annotator import Connection
from shared.endpoints.refusals.refusal import (
    InvalidKey,
    ModelRefused,
    RateLimited,
    Refusal,
    TierRefused,
    Unavailable,
    Unreachable,
    WrongAddress,
)

SECRET = "AIzaSyKeyNumberOne001"
KEY = Key("one", "p", SECRET, Quota())
QUOTA = (
    '{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You exceeded your current '
)


@asynccontextmanager
async def served(answer):
    """Serve what ``answer`` makes of each request, and yield what was asked and a client."""
    asked: list[tuple[str, bytes]] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append((f"{request.method} {request.path}", await request.read()))
        return await answer(request)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with GeminiBatch.connected(Connection(url, 5.0, 4)) as service:
            yield asked, service
    finally:
        await runner.cleanup()


async def refusal_to(call, status: int, text: str = ""):
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text, content_type="application/json")

    async with served(answer) as (_, service):
        with pytest.raises(Refusal) as told:
            await call(service)
    assert SECRET not in str(told.value)
    assert told.value.__context__ is None
    return told.value


def made(service):
    return service.create(KEY, "gemini-x", "files/f", "name")


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (429, QUOTA, RateLimited),
        (503, "no json", Unavailable),
        (
            400,
            '{"error": {"message": "API key not valid", "status": "INVALID_ARGUMENT"}}',
            InvalidKey,
        ),
        (400, '{"error": {"message": "Batch API is not supported for model x"}}', TierRefused),
        (
            404,
            '{"error": {"message": "models/x is not found", "status": "NOT_FOUND"}}',
            ModelRefused,
        ),
        (403, f'{{"error": {{"message": "consumer {SECRET} is suspended"}}}}', InvalidKey),
        (200, "{}", Unavailable),
        (200, '{"name": "batches/', Unavailable),
    ],
)
async def test_what_a_new_job_is_told_is_read_by_its_status_first(status, text, kind):
    assert type(await refusal_to(made, status, text)) is kind


@pytest.mark.parametrize(
    "call",
    [
        lambda service: service.look(KEY, "batches/b"),
        lambda service: service.results(KEY, "files/f"),
        lambda service: service.cancel(KEY, "batches/b"),
    ],
)
@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "Requested entity was not found."),
        (403, "You do not have permission to access the File f or it may not exist."),
    ],
)
async def test_a_job_or_file_that_is_not_shown_says_nothing_of_the_key(call, status, message):
    text = f'{{"error": {{"code": {status}, "message": "{message}"}}}}'
    assert isinstance(await refusal_to(call, status, text), NoSuchJob)


async def test_a_file_that_is_gone_needs_no_deleting():
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"error": {"code": 404, "message": "not found"}}, status=404)

    async with served(answer) as (asked, service):
        await service.delete_file(KEY, "files/f")
    assert [path for path, _ in asked] == ["DELETE /v1beta/files/f"]


async def test_no_part_of_an_upload_follows_a_redirect():
    async def answer(request: web.Request) -> web.Response:
        if "part" in request.query:
            raise web.HTTPTemporaryRedirect("/elsewhere")
        url = str(request.url.with_query(part=1))
        return web.Response(headers={"X-Goog-Upload-URL": url, "X-Goog-Upload-Status": "active"})

    async with served(answer) as (asked, service):
        with pytest.raises(WrongAddress):
            await service.upload(KEY, b"pictures", "name")
    assert [path for path, _ in asked] == ["POST /upload/v1beta/files"] * 2


async def test_what_the_sdk_leaves_out_of_a_job_is_read():
    async def answer(_: web.Request) -> web.Response:
        metadata = {"state": "BATCH_STATE_FAILED", "batchStats": {"failedRequestCount": "2"}}
        error = {"code": 13, "message": "Internal error encountered"}
        return web.json_response({"name": "batches/b", "metadata": metadata, "error": error})

    async with served(answer) as (_, service):
        told = await service.look(KEY, "batches/b")
    assert (told.state, told.failed_requests) == (JobState.FAILED, 2)
    assert told.refusal.reason == "INTERNAL: Internal error encountered"


async def test_a_server_that_is_not_there_was_sent_nothing():
    async with GeminiBatch.connected(Connection("http://127.0.0.1:9", 5.0, 4)) as service:
        with pytest.raises(Unreachable):
            await service.create(KEY, "gemini-x", "files/f", "name")
