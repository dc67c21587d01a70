"""A loopback server that does as little as it can: reads a request, waits, sends the same reply.

In a process of its own, so that it never takes the contenders' time, and without a framework, so
that it is not what is measured. Looks at models it answers at once. Its own figures are at
``/stats``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from array import array

from shared.program.clock import stopwatch

PAIRS = [
    {"question": f"What is the {part} of the thing shown?", "answer": answer, "difficulty": level}
    for part, answer, level in (
        ("colour", "red", "easy"),
        ("shape", "round", "easy"),
        ("kind", "chair", "easy"),
        ("material", "wood", "easy"),
        ("upper part", "seat", "medium"),
        ("pattern", "stripes", "hard"),
        ("texture", "smooth", "hard"),
        ("likely use", "sitting", "hard"),
        ("longest side", "left", "hard"),
        ("lower edge", "curved", "hard"),
    )
]


def _response(content: object) -> bytes:
    body = json.dumps(content).encode()
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
    return head.format(len(body)).encode() + body


REPLY = _response(
    {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": json.dumps(PAIRS)}]},
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 700,
            "candidatesTokenCount": 300,
            "totalTokenCount": 1000,
        },
        "modelVersion": "gemini-3.5-flash-lite",
        "responseId": "abcdefgh",
    }
)
MODEL = _response(
    {
        "name": "models/gemini-3.5-flash-lite",
        "supportedGenerationMethods": ["generateContent"],
    }
)


class Tally:
    """Requests and bytes so far, when the first came, and when each was answered."""

    def __init__(self) -> None:
        self.requests = 0
        self.received = 0
        self.first = 0.0
        self.answered = array("d")

    def arrived(self) -> None:
        self.requests += 1
        self.first = self.first or stopwatch()

    def response(self) -> bytes:
        return _response(
            {
                "requests": self.requests,
                "first": self.first,
                "answered": list(self.answered),
                "received": self.received,
            }
        )


class Connection(asyncio.Protocol):
    """One client's connection; a request at a time, as HTTP/1.1 clients send them."""

    def __init__(self, tally: Tally, latency_s: float) -> None:
        self._tally = tally
        self._latency_s = latency_s
        self._missing: int | None = None
        self._head = b""
        self._is_get = self._is_stats = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._tally.received += len(data)
        if self._missing is None:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._head[:end].lower()
            at = head.find(b"content-length:")
            length = 0 if at < 0 else int(head[at + 15 :].split(b"\r\n", 1)[0])
            self._is_get = head.startswith(b"get ")
            self._is_stats = head.startswith(b"get /stats")
            self._missing = length - (len(self._head) - end - 4)
            self._head = b""
        else:
            self._missing -= len(data)
        if self._missing <= 0:
            self._missing = None
            self._answer()

    def _answer(self) -> None:
        if self._is_get:
            self._transport.write(self._tally.response() if self._is_stats else MODEL)
            return
        self._tally.arrived()
        asyncio.get_running_loop().call_later(self._latency_s, self._reply)

    def _reply(self) -> None:
        if not self._transport.is_closing():
            self._tally.answered.append(stopwatch())
            self._transport.write(REPLY)


async def serve(latency_s: float) -> None:
    """Serve until the process ends; print the port first."""
    loop = asyncio.get_running_loop()
    tally = Tally()
    server = await loop.create_server(lambda: Connection(tally, latency_s), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
