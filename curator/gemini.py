"""Gemini's wire format and google-genai: the only place that knows them.

All keys share one aiohttp session and one SSL context. Every error becomes a
``curator.refusals.Refusal``. A key never leaves this module: error texts that come from the server
are searched for it, because some of them repeat it in clear.

google-genai's client says, once a key, where requests go and with what headers; what is sent there
is put together as bytes and goes out on the shared session. ``generate_content`` checks and
converts each request and reply several times over, which takes four times the rest of a request.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import aiohttp
from google import genai
from google.genai import errors, types

from curator.annotator import (
    DEFAULT_TIMEOUT_S,
    PROMPT_BLOCKED,
    Reply,
    check_base_url,
    ending_of,
    is_loopback,
    model_of,
)
from curator.foreign_json import as_count, as_dict, dicts_in, loads
from curator.keys import Key
from curator.prompt import ReplySchema, Request
from curator.quota import Quota, Window
from curator.refusals import (
    BadRequest,
    InvalidKey,
    RateLimited,
    Refusal,
    Unavailable,
    UnknownModel,
    Unreachable,
)
from shared.events import SecretMask

LONGEST_REASON: Final = 200
"""Characters of a server's message that are kept."""

_KEY_REASONS: Final = frozenset(
    {"API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "API_KEY_EXPIRED", "CONSUMER_SUSPENDED"}
)
_IMAGE_ENDS: Final = '"}}'
_DURATION: Final = re.compile(r"^(?P<value>\d+(?:\.\d+)?)(?P<unit>ms|s)$")


class Gemini:
    """Asks one model, with whatever key each request brings."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        ssl_context: ssl.SSLContext,
        *,
        model: str,
        base_url: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        """Ask ``model``; the session stays the caller's to close."""
        self._session = session
        self._ssl_context = ssl_context
        self._path = f"models/{model.removeprefix('models/')}:generateContent"
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._doors: dict[str, _Door] = {}

    @classmethod
    @asynccontextmanager
    async def connected(
        cls,
        *,
        model: str,
        connections: int,
        base_url: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> AsyncIterator[Gemini]:
        """Open a session of at most ``connections`` connections for the time of the block.

        Raises:
            InputError: ``base_url`` is not an address.
        """
        host = check_base_url(base_url)
        context = ssl.create_default_context()
        connector = aiohttp.TCPConnector(limit=connections, ssl=context)
        # A proxy that the environment names cannot reach a server on this machine.
        trust_environment = not is_loopback(host)
        async with aiohttp.ClientSession(
            connector=connector,
            trust_env=trust_environment,
            # No key's session should be known by what another key was told.
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session:
            yield cls(session, context, model=model, base_url=base_url, timeout_s=timeout_s)

    async def generate(self, request: Request, key: Key) -> Reply:
        """Send one request with ``key``, once.

        Raises:
            Refusal: whatever came instead of a reply; see ``curator.refusals``.
        """
        refusal: Refusal
        door = self._door(key)
        body = request_body(request)
        try:
            async with self._session.post(
                door.url, data=body, headers=door.headers, timeout=self._timeout
            ) as response:
                await errors.APIError.raise_for_async_response(response)
                text = await response.text("utf-8")
        except errors.APIError as error:
            refusal = refusal_of(error.code, error.details, door.mask)
        except TimeoutError:
            refusal = Unavailable(f"no answer within {self._timeout_s:g} s")
        except aiohttp.ClientConnectorError as error:
            refusal = Unreachable(f"no connection ({type(error).__name__})")
        except (aiohttp.ClientError, OSError) as error:
            refusal = Unavailable(f"connection failed ({type(error).__name__})")
        except (ValueError, RecursionError):
            refusal = Unavailable("a body that cannot be read")
        else:
            # Nothing says that a reply will not repeat the key, and the body is kept for good.
            return read_reply(door.mask(text))
        # Raised out here so that no SDK error, which may quote the key, hangs on as its context.
        raise refusal

    def _door(self, key: Key) -> _Door:
        found = self._doors.get(key.secret)
        if found is None:
            context = self._ssl_context
            options = types.HttpOptions(
                base_url=self._base_url,
                timeout=int(self._timeout_s * 1000),
                aiohttp_client=self._session,
                client_args={"verify": context},
                async_client_args={"ssl": context, "verify": context},
            )
            client = genai.Client(api_key=key.secret, vertexai=False, http_options=options)
            sent = client._api_client._build_request("post", self._path, {})  # noqa: SLF001
            found = _Door(sent.url, sent.headers, SecretMask([key.secret]))
            self._doors[key.secret] = found
        return found


@dataclass(frozen=True, slots=True)
class _Door:
    """Where the requests with one key go, and with what headers; ``mask`` hides the key."""

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


def read_reply(body: str) -> Reply:
    """Return what matters of a successful body.

    Raises:
        Unavailable: the body is cut off or not what the service sends.
    """
    try:
        content = loads(body)
    except (ValueError, RecursionError) as error:
        raise Unavailable("a cut-off reply") from error
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


def refusal_of(code: int | None, body: object, mask: SecretMask) -> Refusal:
    """Return our word for an error body; ``mask`` keeps the key out of its reason."""
    error = as_dict(body)
    error = as_dict(error.get("error")) or error
    details = list(dicts_in(error.get("details")))
    status = str(error.get("status") or code or "")
    message = mask(" ".join(str(error.get("message") or "").split()))[:LONGEST_REASON]
    reason = next((str(d["reason"]) for d in details if "reason" in d), "")
    described = mask(f"{reason or status}: {message}" if message else reason or status)
    if code == 429:  # noqa: PLR2004
        return _rate_limited(described, details)
    is_the_key = reason in _KEY_REASONS or (code == 400 and "API key" in message)  # noqa: PLR2004
    if is_the_key or code in {401, 403} or status == "FAILED_PRECONDITION":
        return InvalidKey(mask(reason) or _summary(status, message))
    if code == 404:  # noqa: PLR2004
        return UnknownModel(described)
    if code == 408 or code is None or code >= 500:  # noqa: PLR2004
        return Unavailable(described)
    return BadRequest(described)


def _summary(status: str, message: str) -> str:
    sentence = message.partition(". ")[0].rstrip(".")
    return f"{status}: {sentence}" if sentence else status


def _rate_limited(reason: str, details: Iterable[Mapping[str, Any]]) -> RateLimited:
    window, limits, retry_after_s = Window.MINUTE, Quota(), None
    for detail in details:
        kind = str(detail.get("@type", ""))
        if kind.endswith("RetryInfo"):
            retry_after_s = _seconds(detail.get("retryDelay"))
        for violation in dicts_in(detail.get("violations")):
            quota_id = str(violation.get("quotaId") or "")
            if "PerDay" in quota_id:
                window = Window.DAY
            limits = limits.tightened(_named_limit(quota_id, violation.get("quotaValue")))
    return RateLimited(reason, window=window, retry_after_s=retry_after_s, limits=limits)


def _named_limit(quota_id: str, value: object) -> Quota:
    limit = as_count(value)
    if limit < 1:
        return Quota()
    if "Token" in quota_id:
        return Quota(tpm=limit) if "PerMinute" in quota_id else Quota()
    if "PerDay" in quota_id:
        return Quota(rpd=limit)
    return Quota(rpm=limit) if "PerMinute" in quota_id else Quota()


def _seconds(delay: object) -> float | None:
    match = _DURATION.match(str(delay or ""))
    if not match:
        return None
    value = float(match["value"])
    return value / 1000 if match["unit"] == "ms" else value
