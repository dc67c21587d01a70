"""A server on loopback that answers single questions by chat completions, as vLLM does."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Mood = Callable[[Mapping[str, Any], str], "tuple[int, Any] | None"]
"""Takes a request's body and its text; returns another answer than the usual one, or none."""


class ChatServer(http.server.ThreadingHTTPServer):
    """Says ``answers[model]`` to each question; what it was asked stands in ``seen``."""

    daemon_threads = True

    def __init__(self, answers: Mapping[str, str], mood: Mood = lambda *_: None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.mood = dict(answers), mood
        self.seen: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def asked(self) -> list[tuple[str, str]]:
        """Return model and text of each request."""
        return [(body["model"], text_of(body)) for body in self.seen]

    @contextmanager
    def serving(self) -> Iterator[ChatServer]:
        thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.server_close()


def text_of(body: Mapping[str, Any]) -> str:
    return body["messages"][0]["content"][-1]["text"]


def completion(model: str, text: str, *, logprob: float | None = None, **choice: Any) -> dict:
    whole = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    if logprob is not None:
        whole["logprobs"] = {"content": [{"token": text, "logprob": logprob}]}
    usage = {"prompt_tokens": 200, "completion_tokens": 3, "total_tokens": 203}
    return {"model": model, "choices": [whole | choice], "usage": usage}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChatServer

    def do_GET(self) -> None:
        data = [{"id": name, "object": "model"} for name in self.server.answers]
        self._send(200, {"object": "list", "data": data})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.keys.add(self.headers.get("Authorization", ""))
        self.server.seen.append(body)
        said = self.server.mood(body, text_of(body))
        if said is None:
            logprob = -0.5 if body.get("logprobs") else None
            said = (
                200,
                completion(body["model"], self.server.answers[body["model"]], logprob=logprob),
            )
        self._send(*said)

    def _send(self, status: int, value: Any) -> None:
        is_page = isinstance(value, str)
        content = (value if is_page else json.dumps(value)).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if is_page else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            pass  # whoever asked did not wait

    def log_message(self, *_: object) -> None:
        pass


def slowly(seconds: float) -> Mood:
    """Return the mood of a server that takes its time."""

    def mood(*_: object) -> None:
        time.sleep(seconds)

    return mood
