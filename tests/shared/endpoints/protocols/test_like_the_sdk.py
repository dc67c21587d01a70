"""What the curator sends Gemini means the same as what google-genai would send."""

import base64
import io
import json
import math
import re
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest
from google import genai
from google.genai import types
from PIL import Image

from curator.prompts.prompt import Prompt
from curator.rehearsal.script import RehearsalScript
from curator.rehearsal.wiring import build_server, read_answers
from shared.endpoints.keys.key import Key
from shared.endpoints.models.asked_settings import NO_SETTINGS, ModelSettings
from shared.endpoints.models.tier import Tier
from shared.endpoints.protocols.doors.addresses import VERSION
from shared.endpoints.protocols.gemini import Gemini
from shared.program.settings import validated
from tests.fakes.clock import FakeClock

KEY = "AQ.a-key-of-the-test"
MODEL = "gemini-9-flash"
TIMEOUT_S = 7.5


def red_square():
    """A picture; its bytes in base64 have letters that the two alphabets write differently."""
    content = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(content, "JPEG")
    return content.getvalue() + bytes(range(256))


JPEG = red_square()
PROMPT = Prompt(questions=4, answer_words=2)
REQUESTS = {
    "listing": PROMPT.request({"title": 'a "red" chaïr\n"}}', "colour": "red"}, JPEG, 256),
    "no listing": PROMPT.request({}, JPEG, 256),
    "second opinion": PROMPT.question_request("what colour is it?", JPEG, 512),
}


@asynccontextmanager
async def recorder(folder):
    """The rehearsal server, which answers both; yields its address and what came."""
    received = []
    Image.open(io.BytesIO(JPEG)).save(folder / "red.png")
    (folder / "answers.csv").write_text("filename,question,answer\nred.png,what colour?,red\n")
    tables = {"answers": folder / "answers.csv", "images": folder, "key": [{"api_key": KEY}]}
    script = validated(RehearsalScript, tables, source="test")
    answers = read_answers(script, folder / "cache")
    server = build_server(script, answers, FakeClock(), received.append)
    async with server.serving() as url:
        yield url, received
    # It took both for what they are.
    assert server.stats()["outcomes"] in ({"answered": 2}, {"question_answered": 2})


def contents(request):
    """A request's content as the SDK is given it."""
    parts = [
        types.Part.from_text(text=request.prompt_text),
        types.Part.from_bytes(data=request.image_jpeg, mime_type="image/jpeg"),
    ]
    if request.closing_text:
        parts.append(types.Part.from_text(text=request.closing_text))
    return [types.Content(role="user", parts=parts)]


async def send_by_sdk(url, request, **config):
    # A session of ours, for the one that the SDK makes is deprecated by aiohttp.
    async with aiohttp.ClientSession() as session:
        options = types.HttpOptions(
            base_url=url,
            api_version=VERSION,
            timeout=math.ceil(TIMEOUT_S * 1000),
            retry_options=types.HttpRetryOptions(attempts=1),
            aiohttp_client=session,
        )
        client = genai.Client(api_key=KEY, http_options=options)
        await client.aio.models.generate_content(
            model=MODEL,
            contents=contents(request),
            config=types.GenerateContentConfig(
                response_mime_type="application/json",
                response_schema=request.schema.content,
                **config,
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


def leaves(value, path=""):
    """The names of all fields that are set, lists' places left out."""
    if isinstance(value, list):
        return set().union(*(leaves(item, path) for item in value))
    if not isinstance(value, dict) or path.endswith("responseSchema"):
        return {path}
    return set().union(*(leaves(item, f"{path}.{name}") for name, item in value.items()))


LEVEL = (
    ModelSettings("low", None, "medium"),
    {
        "thinking_config": types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW),
        "media_resolution": types.MediaResolution.MEDIA_RESOLUTION_MEDIUM,
    },
    {".thinkingConfig.thinkingLevel", ".mediaResolution"},
)
BUDGET = (
    ModelSettings("minimal", 0, "high"),
    {
        "thinking_config": types.ThinkingConfig(thinking_budget=0),
        "media_resolution": types.MediaResolution.MEDIA_RESOLUTION_HIGH,
    },
    {".thinkingConfig.thinkingBudget", ".mediaResolution"},
)


async def test_a_limit_of_output_is_asked_for_as_the_sdk_does(monkeypatch, tmp_path):
    for variable in ("GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    request = replace(next(iter(REQUESTS.values())), most_output_tokens=900)
    async with recorder(tmp_path) as (url, received):
        async with Gemini.connected(connections=1, base_url=url) as gemini:
            await gemini.generate(request, Key("one", "project", KEY), MODEL)
        await send_by_sdk(url, request, max_output_tokens=900)
    ours, theirs = (meaning(json.loads(each.body)) for each in received)
    assert ours == theirs
    assert ours["generationConfig"]["maxOutputTokens"] == 900


async def test_a_tier_is_asked_for_as_the_sdk_does(monkeypatch, tmp_path):
    for variable in ("GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    request = next(iter(REQUESTS.values()))
    async with recorder(tmp_path) as (url, received):
        async with Gemini.connected(connections=1, base_url=url, tier=Tier.FLEX) as gemini:
            await gemini.generate(request, Key("one", "project", KEY), MODEL)
        await send_by_sdk(url, request, service_tier=types.ServiceTier.FLEX)
    ours, theirs = (meaning(json.loads(each.body)) for each in received)
    assert ours == theirs
    assert ours["serviceTier"] == "flex"


@pytest.mark.parametrize(
    ("settings", "config", "more"),
    [(NO_SETTINGS, {}, set()), LEVEL, BUDGET],
    ids=["none", "level", "budget"],
)
@pytest.mark.parametrize("kind", REQUESTS)
async def test_a_request_means_what_the_sdk_would_send(
    kind, settings, config, more, monkeypatch, tmp_path
):
    for variable in ("GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    async with recorder(tmp_path) as (url, received):
        connected = Gemini.connected(
            connections=1, base_url=url, timeout_s=TIMEOUT_S, settings={MODEL: settings}
        )
        async with connected as gemini:
            await gemini.generate(REQUESTS[kind], Key("one", "project", KEY), MODEL)
        await send_by_sdk(url, REQUESTS[kind], **config)
    ours, theirs = received
    assert ours.path == theirs.path
    for header in ("x-goog-api-key", "content-type", "x-server-timeout"):
        assert ours.headers[header] == theirs.headers[header]
    meant = meaning(json.loads(ours.body))
    assert meant == meaning(json.loads(theirs.body))
    # Whoever sets one more has to set it above, too.
    assert leaves(meant) == {
        ".contents.role",
        ".contents.parts.text",
        ".contents.parts.inlineData.mimeType",
        ".contents.parts.inlineData.data",
        ".generationConfig.responseMimeType",
        ".generationConfig.responseSchema",
        *(f".generationConfig{name}" for name in more),
    }
    assert JPEG in [
        part.get("inlineData", {}).get("data") for part in meant["contents"][0]["parts"]
    ]
