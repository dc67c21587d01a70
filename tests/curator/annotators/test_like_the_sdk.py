"""What the curator sends Gemini means the same as what google-genai would send."""

import base64
import re
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from google import genai
from google.genai import types

from curator.annotators.gemini import VERSION, Gemini
from curator.annotators.prompt import Prompt
from curator.keys.key import Key

KEY = "AQ.a-key-of-the-test"
MODEL = "gemini-9-flash"
JPEG = bytes(range(256)) * 5
PROMPT = Prompt(questions=4, answer_words=2)
REPLY = {"candidates": [{"content": {"parts": [{"text": "[]"}]}, "finishReason": "STOP"}]}
REQUESTS = {
    "listing": PROMPT.request({"title": 'a "red" chaïr\n"}}', "colour": "red"}, JPEG, 256),
    "no listing": PROMPT.request({}, JPEG, 256),
    "second opinion": PROMPT.question_request("what colour is it?", JPEG, 512),
}


@asynccontextmanager
async def recorder():
    """A server that keeps what it is sent; yields its address and the list."""
    seen = []

    async def receive(request):
        seen.append((request.method, request.raw_path, dict(request.headers), await request.json()))
        return web.json_response(REPLY)

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


async def send_by_sdk(url, request):
    parts = [
        types.Part.from_text(text=request.prompt_text),
        types.Part.from_bytes(data=request.image_jpeg, mime_type="image/jpeg"),
    ]
    if request.closing_text:
        parts.append(types.Part.from_text(text=request.closing_text))
    # A session of ours, for the one that the SDK makes is deprecated by aiohttp.
    async with aiohttp.ClientSession() as session:
        options = types.HttpOptions(
            base_url=url,
            api_version=VERSION,
            retry_options=types.HttpRetryOptions(attempts=1),
            aiohttp_client=session,
        )
        client = genai.Client(api_key=KEY, http_options=options)
        await client.aio.models.generate_content(
            model=MODEL,
            contents=[types.Content(role="user", parts=parts)],
            config=types.GenerateContentConfig(
                response_mime_type="application/json", response_schema=request.schema.content
            ),
        )


def meaning(value):
    """The wire mixes snake and camel case, and takes either alphabet of base64."""
    if isinstance(value, list):
        return [meaning(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {
        re.sub(r"_(\w)", lambda match: match[1].upper(), name): item for name, item in value.items()
    }
    if "mimeType" in named and "data" in named:
        return {**named, "data": base64.urlsafe_b64decode(plain(named["data"]))}
    return {name: meaning(item) for name, item in named.items()}


def plain(text):
    return text.replace("+", "-").replace("/", "_") + "=" * (-len(text) % 4)


@pytest.mark.parametrize("kind", REQUESTS)
async def test_a_request_means_what_the_sdk_would_send(kind, monkeypatch):
    for variable in ("GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    async with recorder() as (url, seen):
        async with Gemini.connected(model=MODEL, connections=1, base_url=url) as gemini:
            await gemini.generate(REQUESTS[kind], Key("one", "project", KEY))
        await send_by_sdk(url, REQUESTS[kind])
    ours, theirs = seen
    assert ours[:2] == theirs[:2]
    for header in ("x-goog-api-key", "Content-Type"):
        assert ours[2][header] == theirs[2][header]
    assert meaning(ours[3]) == meaning(theirs[3])
    assert JPEG in [
        part["inlineData"]["data"]
        for part in meaning(ours[3])["contents"][0]["parts"]
        if "inlineData" in part
    ]
