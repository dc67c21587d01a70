"""One picture behind a URL: its content, or why there is none. Nothing else here speaks HTTP."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

import aiohttp

from curator.fetching.guard import PrivateAddress
from shared.endpoints.connections import CleanConnector
from shared.program.versions import installed_versions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from curator.fetching.limits import FetchLimits

_MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_DONE: Final = frozenset({200, 203})
_MAY_PASS: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""States of a server in which asking again later may help."""
_CHUNK_BYTES: Final = 2**16
_NO_PICTURE: Final = ("text/", "application/json", "application/xml", "application/pdf", "video/")


class NotFetched(Exception):
    """There is no picture, and why.

    ``may_pass`` says whether asking again may help, ``retry_after_s`` when the server wants that.
    ``is_silent`` says that nobody answered, or that the server is broken; ``is_throttled`` that it
    is asked too often, which is no fault of this picture.
    """

    def __init__(
        self,
        reason: str,
        *,
        may_pass: bool = False,
        retry_after_s: float = 0.0,
        is_silent: bool = False,
        is_throttled: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_pass = may_pass
        self.retry_after_s = retry_after_s
        self.is_silent = is_silent
        self.is_throttled = is_throttled


@asynccontextmanager
async def opened_session(limits: FetchLimits) -> AsyncIterator[aiohttp.ClientSession]:
    """Yield a session that connects to what ``limits`` allow, without cookies and proxies."""
    version = installed_versions(["abo-vqa"]).get("abo-vqa", "from sources")
    connector = CleanConnector(limit=limits.at_once, socket_factory=limits.guard.socket)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=limits.timeout_s),
        headers={
            "User-Agent": f"abo-vqa ({version}; curator fetch)",
            "Accept": "image/*",
            "Accept-Encoding": "identity",
        },
        # What is packed nevertheless is not unpacked: a small file could become a huge one.
        auto_decompress=False,
        trust_env=False,
    ) as session:
        yield session


async def picture_content(
    session: aiohttp.ClientSession, url: str, limits: FetchLimits, now: float
) -> bytes:
    """Return what a URL gives, after redirects of which each is checked as the URL is.

    ``now`` is in seconds since the epoch, for a server that names a date to come back at.

    Raises:
        NotFetched: there is none within the limits.
    """
    address = url if "://" in url else f"https:{url}"
    try:
        for _ in range(_MOST_REDIRECTS + 1):
            _require_allowed(address, limits)
            async with session.get(address, allow_redirects=False) as response:
                if response.status in _REDIRECTS and response.headers.get("Location"):
                    address = urljoin(str(response.url), response.headers["Location"])
                    continue
                if response.status not in _DONE:
                    raise _refused(response.status, response.headers, now)
                return await _body(response, limits.largest_bytes)
    except TimeoutError as error:
        reason = f"no whole answer within {limits.timeout_s:g} s"
        raise NotFetched(reason, may_pass=True, is_silent=True) from error
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, PrivateAddress):
            raise NotFetched(str(error.os_error.strerror)) from error
        reason = f"no connection ({error.os_error.strerror or error.os_error})"
        raise NotFetched(reason, may_pass=True, is_silent=True) from error
    except (aiohttp.InvalidURL, ValueError) as error:
        raise NotFetched("no valid URL") from error
    except aiohttp.ClientError as error:
        raise NotFetched(f"broken off ({type(error).__name__})", may_pass=True) from error
    raise NotFetched(f"more than {_MOST_REDIRECTS} redirects")


def _require_allowed(address: str, limits: FetchLimits) -> None:
    parts = urlsplit(address)
    if parts.scheme.lower() not in {"http", "https"} or not parts.hostname:
        raise NotFetched(f"leads to {parts.scheme or 'no'}: URLs alone of http and https are asked")
    if parts.username or parts.password:
        raise NotFetched("holds a password, which is not sent")
    if not limits.allows(parts.hostname):
        raise NotFetched(f"leads to {parts.hostname}, which --hosts does not name")


def _refused(status: int, headers: Mapping[str, str], now: float) -> NotFetched:
    retry_after_s = _retry_after_s(headers.get("Retry-After", ""), now)
    is_throttled = status == HTTPStatus.TOO_MANY_REQUESTS or retry_after_s > 0
    return NotFetched(
        f"HTTP {status}",
        may_pass=status in _MAY_PASS,
        retry_after_s=retry_after_s,
        is_silent=status >= HTTPStatus.INTERNAL_SERVER_ERROR and not is_throttled,
        is_throttled=status in _MAY_PASS and is_throttled,
    )


def _retry_after_s(text: str, now: float) -> float:
    """Return the seconds that a server asks to wait: a number or a date (RFC 9110, 10.2.3)."""
    if re.fullmatch(r"\d{1,9}", text.strip()):
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0


async def _body(response: aiohttp.ClientResponse, largest_bytes: int) -> bytes:
    kind = response.content_type.lower() if "Content-Type" in response.headers else ""
    if kind.startswith(_NO_PICTURE):
        raise NotFetched(f"is {kind}, no picture")
    too_large = NotFetched(f"larger than {largest_bytes / 2**20:g} MiB; --largest raises that")
    if (response.content_length or 0) > largest_bytes:
        raise too_large
    content = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        content += chunk
        if len(content) > largest_bytes:
            raise too_large
    return bytes(content)
