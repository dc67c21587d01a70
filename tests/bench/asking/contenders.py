"""What is measured beside the curator, each a whole program: ``python contenders.py NAME ...``.

Every contender sends the same images with the same prompt, so many at a time, and reads the reply's
text. It must not import the project: the peers have environments of their own.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from itertools import cycle, islice
from pathlib import Path

MODEL = "gemini-3.5-flash-lite"
KEYS = [f"AIza-bench-key-{number:02}-of-no-project-at-all" for number in range(12)]

Ask = Callable[[bytes, str, str], Awaitable[str]]


async def ask_all(ask: Ask, images: list[Path], prompt: str, concurrency: int) -> int:
    """Ask about every image, with a key each in turn; return how many texts came back."""
    waiting: Iterator[tuple[Path, str]] = zip(images, cycle(KEYS))
    texts = 0

    async def work() -> None:
        nonlocal texts
        for image, key in waiting:
            text = await ask(image.read_bytes(), prompt, key)
            texts += bool(text)

    await asyncio.gather(*(work() for _ in range(concurrency)))
    return texts


async def bare_aiohttp(url: str, images: list[Path], prompt: str, concurrency: int) -> int:
    """The least that any Python program must do."""
    import aiohttp

    path = f"{url}/v1beta/models/{MODEL}:generateContent"
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask(image: bytes, text: str, key: str) -> str:
            data = base64.b64encode(image).decode()
            inline = {"inlineData": {"mimeType": "image/jpeg", "data": data}}
            body = {"contents": [{"role": "user", "parts": [{"text": text}, inline]}]}
            async with session.post(path, json=body, headers={"x-goog-api-key": key}) as response:
                content = json.loads(await response.read())
            return content["candidates"][0]["content"]["parts"][0]["text"]

        return await ask_all(ask, images, prompt, concurrency)


async def google_genai(url: str, images: list[Path], prompt: str, concurrency: int) -> int:
    """The SDK as its documentation shows it, with a client for each key and one session."""
    import aiohttp
    from google import genai
    from google.genai import types

    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector) as session:
        options = types.HttpOptions(base_url=url, aiohttp_client=session)
        clients = {key: genai.Client(api_key=key, http_options=options) for key in KEYS}
        schema = {
            "type": "ARRAY",
            "items": {
                "type": "OBJECT",
                "properties": {
                    name: {"type": "STRING"} for name in ("question", "answer", "difficulty")
                },
            },
        }
        config = types.GenerateContentConfig(
            response_mime_type="application/json", response_schema=schema
        )

        async def ask(image: bytes, text: str, key: str) -> str:
            part = types.Part.from_bytes(data=image, mime_type="image/jpeg")
            reply = await clients[key].aio.models.generate_content(
                model=MODEL, contents=[text, part], config=config
            )
            return reply.text or ""

        return await ask_all(ask, images, prompt, concurrency)


async def litellm_router(url: str, images: list[Path], prompt: str, concurrency: int) -> int:
    """LiteLLM's Router over the twelve keys."""
    import litellm

    litellm.suppress_debug_info = True
    router = litellm.Router(
        model_list=[
            {
                "model_name": "annotator",
                "litellm_params": {
                    "model": f"gemini/{MODEL}",
                    "api_key": key,
                    "api_base": f"{url}/v1beta/models/{MODEL}",
                },
            }
            for key in KEYS
        ]
    )

    async def ask(image: bytes, text: str, _: str) -> str:
        data = base64.b64encode(image).decode()
        picture = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}
        content = [{"type": "text", "text": text}, picture]
        reply = await router.acompletion(
            model="annotator", messages=[{"role": "user", "content": content}]
        )
        return reply.choices[0].message.content or ""

    return await ask_all(ask, images, prompt, concurrency)


def bespoke_curator(url: str, images: list[Path], prompt: str, concurrency: int) -> int:
    """bespokelabs-curator, which brings its own loop, on one key."""
    # Its first request, which looks for rate limits, takes the key from nowhere else.
    os.environ["GEMINI_API_KEY"] = KEYS[0]
    from bespokelabs import curator

    class Annotator(curator.LLM):
        def prompt(self, row: dict[str, str]) -> tuple[str, curator.types.Image]:
            return prompt, curator.types.Image(url=row["path"], mime_type="image/jpeg")

        def parse(self, row: dict[str, str], response: str) -> dict[str, str]:
            return {"path": row["path"], "text": str(response)}

    annotator = Annotator(
        model_name=f"gemini/{MODEL}",
        backend="litellm",
        backend_params={
            "base_url": f"{url}/v1beta/models/{MODEL}",
            "api_key": KEYS[0],
            "max_concurrent_requests": concurrency,
            "max_requests_per_minute": 1_000_000,
            "max_tokens_per_minute": 1_000_000_000,
        },
    )
    found = annotator([{"path": str(image)} for image in images])
    rows = getattr(found, "dataset", found)
    return sum(bool(row["text"]) for row in rows)


CONTENDERS = {
    "aiohttp": bare_aiohttp,
    "google-genai": google_genai,
    "litellm": litellm_router,
    "bespokelabs-curator": bespoke_curator,
}


def main() -> None:
    """Run one contender over the first COUNT images of a folder."""
    name, url, folder, prompt_file, count, concurrency = sys.argv[1:]
    images = list(islice(sorted(Path(folder).rglob("*.jpg")), int(count)))
    prompt = Path(prompt_file).read_text(encoding="utf-8")
    texts = CONTENDERS[name](url, images, prompt, int(concurrency))
    if asyncio.iscoroutine(texts):
        texts = asyncio.run(texts)
    if texts != len(images):
        sys.exit(f"{name}: {texts} texts for {len(images)} images")


if __name__ == "__main__":
    main()
