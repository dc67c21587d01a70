"""Files and jobs as the real SDK makes them, and what comes of them."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable
from typing import Any

from google import genai
from google.genai import types

from curator.prompts.prompt import Prompt
from tests.curator.rehearsal.conftest import MODEL, Stage

LINES = {"mime_type": "application/jsonl"}


def client(stage: Stage, key: str = "good") -> genai.Client:
    """Return a client of the SDK that asks everything once."""
    options = types.HttpOptions(
        base_url=stage.base_url,
        retry_options=types.HttpRetryOptions(attempts=1),
        aiohttp_client=stage.session,
        client_args={"verify": stage.tls},
        async_client_args={"ssl": stage.tls, "verify": stage.tls},
    )
    return genai.Client(api_key=key, http_options=options)


def request(image: bytes, closing: str = "", **config: Any) -> dict[str, Any]:
    """Return the body of a request about an image."""
    data = base64.b64encode(image).decode()
    parts = [
        {"text": Prompt(questions=10, answer_words=1).text},
        {"inlineData": {"mimeType": "image/jpeg", "data": data}},
        {"text": closing or "Go on."},
    ]
    asked = {"responseMimeType": "application/json"} | config
    return {"contents": [{"role": "user", "parts": parts}], "generationConfig": asked}


def lines(requests: Iterable[tuple[str, Any]]) -> bytes:
    return b"".join(
        json.dumps({"key": key, "request": body}).encode() + b"\n" for key, body in requests
    )


async def uploaded(sdk: genai.Client, content: bytes, **config: Any) -> types.File:
    return await sdk.aio.files.upload(file=io.BytesIO(content), config=LINES | config)


async def made(sdk: genai.Client, content: bytes, **config: Any) -> types.BatchJob:
    """Upload a file of requests and make a job of it."""
    file = await uploaded(sdk, content)
    return await sdk.aio.batches.create(model=MODEL, src=file.name, config=config or None)


async def results(sdk: genai.Client, job: types.BatchJob) -> list[dict[str, Any]]:
    """Return the lines of what a job has come to."""
    job = await sdk.aio.batches.get(name=job.name)
    content = await sdk.aio.files.download(file=job.dest.file_name)
    return [json.loads(line) for line in content.splitlines()]


def text(line: dict[str, Any]) -> str:
    """Return what the model wrote in a line of results."""
    written: str = line["response"]["candidates"][0]["content"]["parts"][0]["text"]
    return written


async def operation(stage: Stage, name: str, key: str = "good") -> tuple[int, dict[str, Any]]:
    """Return what is told of a job, as it comes."""
    url = f"{stage.base_url}/v1beta/{name}"
    async with stage.session.get(url, headers={"x-goog-api-key": key}) as response:
        return response.status, await response.json()


def faults(*kinds: str, **life: float) -> dict[str, Any]:
    """Return the table of a script in which the first of each thing goes wrong so."""
    return {"fault": [{"kind": kind, "at": [1]} for kind in kinds], **life}


def four(stage: Stage) -> bytes:
    """Return the lines of four requests, the first and the third about the shoe."""
    images = [stage.image, stage.other] * 2
    named = zip("abcd", images, strict=True)
    return lines((key, request(image, f"Request {key}.")) for key, image in named)
