"""A small catalogue, and a stage on which a script is played to the real SDK."""

from __future__ import annotations

import csv
import io
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from google import genai
from google.genai import types
from PIL import Image, ImageDraw

from curator.prompts.prompt import Prompt
from curator.rehearsal.script import RehearsalScript
from curator.rehearsal.server import STATS_PATH
from curator.rehearsal.wiring import build_server, read_answers
from shared.program.settings import validated
from tests.fakes.clock import FakeClock

MODEL = "gemini-3.5-flash-lite"
KNOWN = {
    "shoe.png": [("what is shown?", "shoe"), ("what color is it?", "red"), ("how many?", "one")],
    "lamp.png": [("what is shown?", "lamp"), ("what color is it?", "blue")],
}
COLORS = {"shoe.png": "red", "lamp.png": "blue"}


@dataclass(frozen=True)
class Catalogue:
    images: Path
    answers: Path

    def content(self, name: str) -> bytes:
        return (self.images / name).read_bytes()


def draw(color: str, box: tuple[int, int, int, int], side: int = 300) -> Image.Image:
    image = Image.new("RGB", (side, side), "white")
    ImageDraw.Draw(image).rectangle(box, fill=color)
    return image


def encoded(image: Image.Image, file_format: str = "JPEG", quality: int = 85) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, quality=quality)
    return buffer.getvalue()


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    images = tmp_path / "images"
    images.mkdir()
    draw("red", (30, 60, 200, 280)).save(images / "shoe.png")
    draw("blue", (150, 20, 250, 120)).save(images / "lamp.png")
    answers = tmp_path / "answers.csv"
    with answers.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "question", "answer"])
        for name, pairs in KNOWN.items():
            writer.writerows((name, *pair) for pair in pairs)
    return Catalogue(images, answers)


@dataclass
class Stage:
    base_url: str
    clock: FakeClock
    image: bytes
    other: bytes
    session: aiohttp.ClientSession
    tls: ssl.SSLContext

    async def ask(
        self,
        key: str = "good",
        *,
        image: bytes | None = None,
        model: str = MODEL,
        api_version: str = "v1",
        timeout_ms: int | None = None,
        **config: Any,
    ) -> types.GenerateContentResponse:
        """Ask through the SDK, once, for structured output unless ``config`` says otherwise."""
        options = types.HttpOptions(
            base_url=self.base_url,
            api_version=api_version,
            timeout=timeout_ms,
            retry_options=types.HttpRetryOptions(attempts=1),
            aiohttp_client=self.session,
            client_args={"verify": self.tls},
            async_client_args={"ssl": self.tls, "verify": self.tls},
        )
        prompt = Prompt(questions=10, answer_words=1)
        structured = {
            "response_mime_type": "application/json",
            "response_schema": dict(prompt.schema.content),
        }
        part = types.Part.from_bytes(data=image or self.image, mime_type="image/jpeg")
        client = genai.Client(api_key=key, http_options=options)
        return await client.aio.models.generate_content(
            model=model,
            contents=[prompt.text, part],
            config=types.GenerateContentConfig(**(config or structured)),
        )

    async def post(self, body: bytes, *, key: str = "good") -> tuple[int, Any]:
        """Send raw bytes; return the status and the JSON of the reply."""
        url = f"{self.base_url}/v1beta/models/{MODEL}:generateContent"
        headers = {"x-goog-api-key": key}
        async with self.session.post(url, data=io.BytesIO(body), headers=headers) as response:
            return response.status, await response.json()

    async def stats(self) -> dict[str, Any]:
        async with self.session.get(self.base_url + STATS_PATH) as response:
            figures: dict[str, Any] = await response.json()
            return figures


Play = Callable[..., AbstractAsyncContextManager[Stage]]


@pytest.fixture(scope="session")
def tls() -> ssl.SSLContext:
    """Return one context for all clients: making one takes longer than a test."""
    return ssl.create_default_context()


@pytest.fixture
def play(catalogue: Catalogue, tmp_path: Path, tls: ssl.SSLContext) -> Play:
    """Return what plays a script (given as its tables) and yields the stage."""

    @asynccontextmanager
    async def playing(**tables: Any) -> AsyncIterator[Stage]:
        defaults = {
            "answers": catalogue.answers,
            "images": catalogue.images,
            "key": [{"api_key": "good"}],
        }
        script = validated(RehearsalScript, defaults | tables, source="test")
        clock = FakeClock()
        answers = read_answers(script, tmp_path / "cache")
        async with (
            build_server(script, answers, clock).serving() as base_url,
            aiohttp.ClientSession() as session,
        ):
            shoe, lamp = catalogue.content("shoe.png"), catalogue.content("lamp.png")
            yield Stage(base_url, clock, shoe, lamp, session, tls)

    return playing
