"""Carries google-auth's requests over the session that all other requests go over.

google-auth calls from a thread and waits; its own transports would bring a second set of rules for
proxies, certificates and passwords of a ``.netrc``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import CancelledError
from typing import Any, Final

import aiohttp
from google.auth import transport
from google.auth.exceptions import TransportError

from shared.endpoints.protocols.annotator import proxy_for
from shared.value_class import value_class

LONGEST_S: Final = 30.0
"""Longest wait for an answer, in seconds."""


@value_class
class _Answer(transport.Response):
    status: int
    headers: Mapping[str, str]
    data: bytes


class SessionTransport(transport.Request):
    """What google-auth makes requests with, from any thread but the loop's own."""

    def __init__(self, session: aiohttp.ClientSession, loop: asyncio.AbstractEventLoop) -> None:
        self._session = session
        self._loop = loop

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: Any,  # noqa: ANN401
    ) -> transport.Response:
        """Send a request and wait for the answer.

        Raises:
            TransportError: none came.
        """
        sending = self._send(url, method, body, headers or {}, timeout or LONGEST_S)
        try:
            return asyncio.run_coroutine_threadsafe(sending, self._loop).result()
        except (aiohttp.ClientError, OSError, TimeoutError, CancelledError) as error:
            why = type(error).__name__
        # Raised out here so that no error, which may quote what was sent, becomes its context.
        raise TransportError(why)

    async def _send(
        self,
        url: str,
        method: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> _Answer:
        # In plain HTTP, a machine of Google Cloud is told its tokens; no proxy knows of that.
        proxy = proxy_for(url) if url.startswith("https:") else None
        async with self._session.request(
            method,
            url,
            data=body,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            proxy=proxy,
            allow_redirects=False,
        ) as response:
            return _Answer(response.status, dict(response.headers), await response.read())
