"""A server that speaks just enough of Gemini's protocol to be told what to say to each request.

Unlike the rehearsal it judges nobody, and can be wrong about every image.
"""

from __future__ import annotations

import inspect
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

Answer = tuple[int, dict]
Mood = Callable[[str, int], Answer | Awaitable[Answer]]
"""Takes a key and how often it was used before; may take its time."""

QUESTIONS = (
    ("What colour is the lamp?", "green"),
    ("Which room suits the lamp?", "hall"),
    ("What shape has the shade?", "cone"),
)


def reply(pairs: Sequence[tuple[str, str]] = QUESTIONS, ending: str = "STOP") -> Answer:
    drafts = [{"question": q, "answer": a, "difficulty": "easy"} for q, a in pairs]
    content = {"role": "model", "parts": [{"text": json.dumps(drafts)}]}
    return 200, {
        "candidates": [{"content": content, "finishReason": ending}],
        "usageMetadata": {"promptTokenCount": 300, "candidatesTokenCount": 60},
    }


def refusal(code: int, status: str, message: str) -> Answer:
    return code, {"error": {"code": code, "status": status, "message": message}}


GOOD = reply()
USELESS = reply([("Lamp?", "a lamp of many words that nobody asked for")])
BLOCKED = (200, {"candidates": [{"finishReason": "SAFETY"}], "usageMetadata": {}})
OVERLOADED = refusal(503, "UNAVAILABLE", "The model is overloaded.")
NO_JSON = refusal(400, "INVALID_ARGUMENT", "JSON mode is not enabled for models/plain")
BAD_IMAGE = refusal(400, "INVALID_ARGUMENT", "Unable to process input image.")


class MoodyServer:
    """Answers as ``mood`` says; ``asked`` counts the requests by key.

    ``image`` came last, and for ``model``.
    """

    def __init__(self, mood: Mood) -> None:
        self.mood = mood
        self.asked: Counter[str] = Counter()
        self.image = ""
        self.model = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/{version}/models/{model}", self._answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.image = (await request.read()).partition(b'"data": "')[2].partition(b'"')[0].decode()
        self.model = request.match_info["model"].partition(":")[0]
        key = request.headers["x-goog-api-key"]
        answer = self.mood(key, self.asked[key])
        self.asked[key] += 1
        status, body = await answer if inspect.isawaitable(answer) else answer
        return web.json_response(body, status=status)
