"""Who may look at the page: anyone on this machine, or whoever has the token.

A page on a loopback address is reached by the names of this machine only, so that a web site
cannot get at it by pointing its own name here (DNS rebinding). A page that others can reach asks
for the token, as a bearer header or through a login that sets a cookie.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from shared.errors import InputError

TOKEN_VARIABLE: Final = "CURATOR_STATUS_TOKEN"  # noqa: S105 - a name, no token
SHORTEST_TOKEN: Final = 16
"""Characters; whoever can reach the page can try as many as they like."""
COOKIE: Final = "curator-status"
COOKIE_DAYS: Final = 30
OPEN_PATHS: Final = frozenset({"/healthz", "/login", "/login.css", "/icon.svg"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Address:
    """Where the status page listens, and the token that it asks for, if it does."""

    host: str
    port: int
    token: str | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """What to open in a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"


def parse_address(text: str, token: str | None = None) -> Address:
    """Return the address in ``HOST:PORT``.

    Raises:
        InputError: not an address; one that others can reach, without a token; a bad token.
    """
    host, colon, port = text.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not colon or not port.isdecimal() or int(port) > 65_535:  # noqa: PLR2004
        raise InputError(f"--status {text!r}: give HOST:PORT, such as 127.0.0.1:8765")
    token = token or None
    if token is None and not is_loopback(host):
        raise InputError(
            f"--status {text!r}: others can reach this address, so it needs a token: set "
            f"{TOKEN_VARIABLE} (`openssl rand -hex 16` makes one), or use 127.0.0.1"
        )
    if token is not None and not _is_fit(token):
        raise InputError(
            f"the status token must have at least {SHORTEST_TOKEN} printable characters and no "
            "spaces; `openssl rand -hex 16` makes one"
        )
    return Address(host, int(port), token)


def _is_fit(token: str) -> bool:
    return (
        len(token) >= SHORTEST_TOKEN
        and token.isascii()
        and token.isprintable()
        and " " not in token
    )


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Access:
    """Decides about each request, by its ``Host`` header and its token."""

    def __init__(self, address: Address) -> None:
        """Guard a page at ``address``."""
        self._token = address.token
        # The cookie is not the token: who reads it off a browser's disk cannot log in elsewhere.
        key = (address.token or "").encode()
        self._cookie = hmac.new(key, b"curator status page", hashlib.sha256).hexdigest()

    def guard(self) -> Middleware:
        """Return the middleware that turns others away."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            if self._token is None and not is_loopback(_host_of(request)):
                raise web.HTTPMisdirectedRequest(text="this page is for its own machine only\n")
            if request.path in OPEN_PATHS or self.admits(request):
                return await handler(request)
            if request.path == "/":
                raise web.HTTPSeeOther("login")
            raise web.HTTPUnauthorized(
                text="give the token: Authorization: Bearer TOKEN\n",
                headers={hdrs.WWW_AUTHENTICATE: "Bearer"},
            )

        return guarded

    def admits(self, request: web.Request) -> bool:
        """Return whether a request may see the campaign."""
        if self._token is None:
            return True
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(given.strip()):
            return True
        return _equal(request.cookies.get(COOKIE, ""), self._cookie)

    def is_token(self, given: str) -> bool:
        """Return whether ``given`` is the token; takes the same time however wrong it is."""
        return self._token is not None and _equal(given, self._token)

    def log_in(self, response: web.StreamResponse) -> None:
        """Let the browser that gets ``response`` in from now on."""
        age_s = COOKIE_DAYS * 86_400
        response.set_cookie(
            COOKIE, self._cookie, max_age=age_s, httponly=True, samesite="Strict", path="/"
        )


def _host_of(request: web.Request) -> str:
    host = request.headers.get(hdrs.HOST, "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name.strip("[]")


def _equal(given: str, wanted: str) -> bool:
    # Digests are of one length, so that not even the length of the token shows.
    pair = (hashlib.sha256(text.encode(errors="replace")).digest() for text in (given, wanted))
    return hmac.compare_digest(*pair)
