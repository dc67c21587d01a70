"""A server on loopback that speaks OpenAI's chat completions, as Ollama and vLLM do."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Pairs = Sequence[tuple[str, str]]


@dataclass
class OpenAIServer:
    """Answers about known images; ``events`` says what else the n-th request, from 1, meets.

    An event is a status with an error code, or ``"cut"`` or ``"drop"``. ``forms`` are the response
    formats that the server takes, but for its ``plain_models``, which take none; ``api_key`` is
    what it wants, if anything. Not every such server lists its models.
    """

    known: Mapping[str, Pairs]
    forms: frozenset[str] = frozenset({"json_schema", "json_object"})
    api_key: str = ""
    models: frozenset[str] = frozenset({"llava"})
    plain_models: frozenset[str] = frozenset()
    lists_models: bool = True
    list_error: tuple[int, str] | None = None
    events: Mapping[int, tuple[int, str] | str] = field(default_factory=dict)
    retry_after: str = "7"
    seen: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        application = web.Application(client_max_size=8 * 2**20)
        application.router.add_post("/v1/chat/completions", self._complete)
        if self.lists_models:
            application.router.add_get("/v1/models", self._list)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        finally:
            await runner.cleanup()

    async def _list(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        if self.list_error:
            return _error(self.list_error[0], "", self.list_error[1])
        if self.api_key and given != f"Bearer {self.api_key}":
            return _error(401, "invalid_api_key", f"Incorrect key: {given}")
        data = [{"id": name, "object": "model"} for name in sorted(self.models)]
        return web.json_response({"object": "list", "data": data})

    async def _complete(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.seen.append(body)
        self.authorizations.append(request.headers.get("Authorization", ""))
        event = self.events.get(len(self.seen))
        if event == "drop":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if isinstance(event, tuple):
            return _error(*event, headers={"Retry-After": self.retry_after})
        if self.api_key and self.authorizations[-1] != f"Bearer {self.api_key}":
            return _error(401, "invalid_api_key", f"Incorrect key: {self.authorizations[-1]}")
        if body["model"] not in self.models:
            return _error(404, "model_not_found", f"model '{body['model']}' not found")
        form = body.get("response_format", {}).get("type")
        takes = frozenset() if body["model"] in self.plain_models else self.forms
        if form is not None and form not in takes:
            return _error(400, "", f"response_format of type {form} is not supported")
        text = self._reply(body, form)
        whole = json.dumps(_completion(body["model"], text))
        return web.Response(
            text=whole[: len(whole) // 2] if event == "cut" else whole,
            content_type="application/json",
        )

    def _reply(self, body: Mapping[str, Any], form: str | None) -> str:
        parts = body["messages"][0]["content"]
        digests = []
        for part in (part for part in parts if part["type"] == "image_url"):
            head, _, data = part["image_url"]["url"].partition(",")
            assert head == "data:image/jpeg;base64"
            digests.append(hashlib.sha256(base64.b64decode(data, validate=True)).hexdigest())
        if len(digests) > 1:
            return self._reply_about(digests, form, body)
        pairs = self.known.get(digests[0], ())
        texts = [part["text"] for part in parts if part["type"] == "text"]
        asked = re.search(r"^Question: (.+)$", texts[-1], re.MULTILINE)
        if asked:
            answer = dict(pairs).get(asked[1], "unknown")
            return json.dumps({"answer": answer}) if form else answer
        if form is None:
            listed = (f"{n}. {q}\nAnswer: {a}" for n, (q, a) in enumerate(pairs, start=1))
            return "<think>hm? no</think>Here you are:\n" + "\n".join(listed)
        items = [{"question": q, "answer": a, "difficulty": "easy"} for q, a in pairs]
        if form == "json_object":
            return json.dumps({"questions": items})
        schema = body["response_format"]["json_schema"]["schema"]
        assert schema["type"] == "object"
        assert schema["additionalProperties"] is False
        (name,) = schema["required"]
        return json.dumps({name: items})

    def _reply_about(
        self, digests: Sequence[str], form: str | None, body: Mapping[str, Any]
    ) -> str:
        """Return what is known of several pictures, each pair with the one that it is about."""
        known = [
            (number, *pair)
            for number, digest in enumerate(digests, start=1)
            for pair in self.known.get(digest, ())
        ]
        if form is None:
            return "\n".join(f"- {q} (Picture {p})\n  Answer: {a}" for p, q, a in known)
        items = [{"question": q, "answer": a, "picture": p} for p, q, a in known]
        if form == "json_object":
            return json.dumps({"questions": items})
        (name,) = body["response_format"]["json_schema"]["schema"]["required"]
        return json.dumps({name: items})


def _completion(model: str, text: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_780_000_000,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 700, "completion_tokens": 90, "total_tokens": 790},
    }


def _error(
    status: int, code: str, message: str = "no", headers: Mapping[str, str] | None = None
) -> web.Response:
    error = {"message": message, "type": "error", "param": None, "code": code or None}
    return web.json_response({"error": error}, status=status, headers=headers)
