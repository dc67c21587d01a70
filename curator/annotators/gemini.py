"""Gemini's wire format: the only place that knows it.

All keys share one aiohttp session and one SSL context. Every error becomes a
``curator.refusals.refusal.Refusal``. A key never leaves this module: error texts that come from the
server are searched for it, because some of them repeat it in clear.

A request is put together as bytes and goes out on the shared session. google-genai, whose
``generate_content`` checks and converts each request and reply several times over, takes four times
as long, and heeds a dozen variables of the environment; the rehearsal is tested with it.
"""

from __future__ import annotations

import base64
import json
import math
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import quote

import aiohttp

from curator.annotators.annotator import (
    DEFAULT_TIMEOUT_S,
    PROMPT_BLOCKED,
    Connection,
    Protocol,
    Reply,
    check_base_url,
    ending_of,
    model_of,
    proxy_for,
)
from curator.annotators.departures import departure_trace
from curator.annotators.prompt import ReplySchema, Request
from curator.keys.key import Key
from curator.keys.models import default_model
from curator.keys.variables import GEMINI_KEYS
from curator.refusals.error_answers import (
    LONGEST_BODY,
    refusal_of,
    refusal_within,
    unreadable_reply,
)
from curator.refusals.foreign_json import as_count, as_dict, dicts_in, loads
from curator.refusals.refusal import Refusal, Unavailable, Unreachable, proxy_refused, untrusted
from shared.program.events import SecretMask

GOOGLE: Final = "https://generativelanguage.googleapis.com"
VERSION: Final = "v1beta"
"""Of the protocol, where an address names none; it has every model and every field."""

_IMAGE_ENDS: Final = '"}}'
_ADDRESS: Final = re.compile(
    r"(?P<server>.*?)(/+(?P<version>v\d+\w*))?(/+models(/+[^/]*)?)?/*", re.IGNORECASE
)
_OK: Final = 200


class Gemini:
    """Asks with whatever key and whichever model each request brings."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        base_url: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        """The session stays the caller's to close."""
        server, version = server_and_version(base_url)
        self._session = session
        self._models_url = f"{server}/{version}/models"
        self._proxy = proxy_for(server)
        self._timeout_s = timeout_s
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._doors: dict[tuple[str, str], _Door] = {}

    @classmethod
    @asynccontextmanager
    async def connected(
        cls,
        *,
        connections: int,
        base_url: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> AsyncIterator[Gemini]:
        """Open a session of at most ``connections`` connections for the time of the block.

        Raises:
            InputError: ``base_url`` is not an address.
        """
        check_base_url(base_url)
        context = ssl.create_default_context()
        connector = aiohttp.TCPConnector(limit=connections, ssl=context)
        async with aiohttp.ClientSession(
            connector=connector,
            # It would send the passwords of a .netrc along; proxies are looked up by ``proxy_for``.
            trust_env=False,
            # No key's session should be known by what another key was told.
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[departure_trace()],
        ) as session:
            yield cls(session, base_url=base_url, timeout_s=timeout_s)

    async def generate(self, request: Request, key: Key, model: str) -> Reply:
        """Ask ``model`` one request with ``key``, once.

        Raises:
            Refusal: whatever came instead of a reply; see ``curator.refusals.refusal``.
        """
        refusal: Refusal
        door = self._door(key, model)
        body = request_body(request)
        try:
            async with self._session.post(
                door.url,
                data=body,
                headers=door.headers,
                timeout=self._timeout,
                proxy=self._proxy,
                allow_redirects=False,
            ) as response:
                if response.status == _OK:
                    text = await response.text("utf-8")
                else:
                    refusal = await _refused(response, door)
                    text = None
        except TimeoutError:
            refusal = Unavailable(f"no answer within {self._timeout_s:g} s")
        except aiohttp.ClientConnectorCertificateError as error:
            refusal = untrusted(f"{error.certificate_error}")
        except aiohttp.ClientHttpProxyError as error:
            refusal = proxy_refused(error.status)
        except aiohttp.ClientConnectorError as error:
            reason = error.strerror or type(error).__name__
            refusal = Unreachable(f"no connection to {error.host}:{error.port} ({reason})")
        except (aiohttp.ClientError, OSError) as error:
            refusal = Unavailable(f"connection failed ({type(error).__name__})")
        except (ValueError, RecursionError):
            refusal = Unavailable("a body that cannot be read")
        else:
            if text is not None:
                # Nothing says that a reply will not repeat the key, and the body is kept for good.
                return read_reply(door.mask(text))
        # Raised out here so that no error, which may quote the key, becomes its context.
        raise refusal

    def _door(self, key: Key, model: str) -> _Door:
        door = self._doors.get((key.secret, model))
        if door is None:
            headers = {
                "Content-Type": "application/json",
                "x-goog-api-key": key.secret,
                "X-Server-Timeout": str(math.ceil(self._timeout_s)),
            }
            url = f"{self._models_url}/{quote(model)}:generateContent"
            door = _Door(url, headers, SecretMask([key.secret]))
            self._doors[key.secret, model] = door
        return door


async def _refused(response: aiohttp.ClientResponse, door: _Door) -> Refusal:
    """Return what an answer means that is no success, also where its body cannot be read."""
    body = b""
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > LONGEST_BODY:
                break
    except (aiohttp.ClientError, OSError, ValueError):
        # The status is known; of the body, what came counts.
        pass
    text = body.decode(errors="replace")
    return refusal_of(response.status, text, response.headers, door.mask, url=door.url)


def server_and_version(base_url: str | None) -> tuple[str, str]:
    """Return where a server is and the version of its protocol, out of as much of an address.

    ``/v1``, ``/v1beta/`` and ``/v1beta/models/NAME:generateContent`` at the end are no part of it.
    """
    match = _ADDRESS.fullmatch(base_url or GOOGLE)
    if match is None:
        return base_url or GOOGLE, VERSION
    return match["server"], match["version"] or VERSION


@dataclass(frozen=True, slots=True)
class _Door:
    """Where requests with one key for one model go, with what headers; ``mask`` hides the key."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    mask: SecretMask


def request_body(request: Request) -> bytes:
    """Return the body of a ``generateContent`` request, as JSON."""
    head, tail = _around_the_image(request.prompt_text, request.schema)
    # The SDK's URL-safe alphabet takes twice as long to write; the service reads either.
    image = base64.b64encode(request.image_jpeg)
    closing = f', {{"text": {json.dumps(request.closing_text)}}}' if request.closing_text else ""
    return b"".join((head, image, _IMAGE_ENDS.encode(), closing.encode(), tail))


# Few prompts are in use at a time: the campaign's, and that of second opinions.
@lru_cache(maxsize=16)
def _around_the_image(prompt_text: str, schema: ReplySchema) -> tuple[bytes, bytes]:
    """Return what stands before the image's data and what after the parts."""
    image = {"inlineData": {"mimeType": "image/jpeg", "data": ""}}
    form = {"responseMimeType": "application/json", "responseSchema": schema.content}
    content = {
        "contents": [{"role": "user", "parts": [{"text": prompt_text}, image]}],
        "generationConfig": form,
    }
    # A quotation mark within a text is escaped, so that these stand here alone.
    head, mark, tail = json.dumps(content).partition('"data": "')
    return (head + mark).encode(), tail.removeprefix(_IMAGE_ENDS).encode()


def model_name(model: str) -> str:
    """Return the service's own name for ``model``: some write whose it is before it."""
    for prefix in ("models/", "gemini/", "google/", "models/"):
        model = model.removeprefix(prefix)
    return model


def read_reply(body: str) -> Reply:
    """Return what matters of a successful body.

    Raises:
        Refusal: the body holds an error, is cut off, or is not what the service sends.
    """
    try:
        content = loads(body)
    except (ValueError, RecursionError) as error:
        raise unreadable_reply(body, SecretMask()) from error
    if refusal := refusal_within(content, {}, SecretMask()):
        raise refusal
    if not isinstance(content, dict):
        raise Unavailable("a reply that is not a JSON object")
    candidate = next(dicts_in(content.get("candidates")), {})
    parts = dicts_in(as_dict(candidate.get("content")).get("parts"))
    texts = [str(part["text"]) for part in parts if "text" in part and not part.get("thought")]
    blocked = as_dict(content.get("promptFeedback")).get("blockReason")
    usage = as_dict(content.get("usageMetadata"))
    return Reply(
        body=body,
        text="".join(texts),
        ending=ending_of(
            PROMPT_BLOCKED + str(blocked) if blocked else candidate.get("finishReason")
        ),
        input_tokens=as_count(usage.get("promptTokenCount")),
        output_tokens=as_count(usage.get("candidatesTokenCount")),
        thought_tokens=as_count(usage.get("thoughtsTokenCount")),
        model=model_of(content.get("modelVersion")),
    )


def _connected(connection: Connection) -> AbstractAsyncContextManager[Gemini]:
    return Gemini.connected(
        connections=connection.connections,
        base_url=connection.base_url,
        timeout_s=connection.timeout_s,
    )


PROTOCOL: Final = Protocol(
    keys=GEMINI_KEYS,
    address_variable="GOOGLE_GEMINI_BASE_URL",
    connected=_connected,
    read_reply=read_reply,
    default_model=default_model(),
    model_name=model_name,
)
