"""Pages over HTTP: who may see one, and what is sent with each.

Anyone on this machine may, or whoever has the token.

A page on a loopback address is reached by the names of this machine only, so that a web site
cannot get at it by pointing its own name here (DNS rebinding). A page that others can reach asks
for the token, as a bearer header or through a login that sets a cookie. What changes something is
taken from the page's own origin, or from programs, never from other web sites' forms.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from shared.errors import InputError
from shared.program.durations import DAY_S
from shared.value_class import value_class
from shared.web.host_and_port import host_and_port
from shared.web.loopback import is_loopback

SHORTEST_TOKEN: Final = 16
"""Characters; whoever can reach the page can try as many as they like."""
COOKIE_DAYS: Final = 30
OPEN_PATHS: Final = frozenset({"/healthz", "/login", "/login.css", "/icon.svg"})
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@value_class
class Address:
    """Where a site listens, and the token that it asks for, if it does."""

    host: str
    port: int
    token: str | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """What to open in a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"


def address_in(text: str, token: str | None, *, option: str, variable: str) -> Address:
    """Return the address in ``HOST:PORT``; ``option`` and ``variable`` stand in messages.

    Raises:
        InputError: not an address; one that others can reach, without a token; a bad token.
    """
    host, port = host_and_port(text, option)
    return checked_address(host, port, token, option=f"{option} {text!r}", variable=variable)


def checked_address(
    host: str, port: int, token: str | None, *, option: str, variable: str
) -> Address:
    """Return the address; ``option`` and ``variable``, that of the token, stand in messages.

    Raises:
        InputError: others can reach it and there is no token, or the token is a bad one.
    """
    token = token or None
    if token is None and not is_loopback(host):
        raise InputError(
            f"{option}: others can reach this address, so it needs a token: set "
            f"{variable} (`openssl rand -hex 16` makes one), or use 127.0.0.1"
        )
    if token is not None and not _is_fit(token):
        raise InputError(
            f"{variable} must have at least {SHORTEST_TOKEN} printable characters and no "
            "spaces; `openssl rand -hex 16` makes one"
        )
    return Address(host, port, token)


def _is_fit(token: str) -> bool:
    return (
        len(token) >= SHORTEST_TOKEN
        and token.isascii()
        and token.isprintable()
        and " " not in token
    )


class Access:
    """Decides about each request, by its ``Host`` header and its token."""

    def __init__(self, address: Address, site: str) -> None:
        """Guard the site at ``address``; ``site`` is a word, which names its cookie."""
        self._token = address.token
        self._cookie_name = site
        # The cookie is not the token: who reads it off a browser's disk cannot log in elsewhere.
        key = (address.token or "").encode()
        self._cookie = hmac.new(key, site.encode(), hashlib.sha256).hexdigest()

    def guard(self) -> Middleware:
        """Return the middleware that turns others away."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            if self._token is None and not is_loopback(_host_of(request)):
                raise web.HTTPMisdirectedRequest(text="this page is for its own machine only\n")
            if request.method not in SAFE_METHODS and not _is_own_origin(request):
                raise web.HTTPForbidden(text="other web sites may not send this\n")
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
        """Return whether a request comes from this machine or brings the token."""
        if self._token is None:
            return True
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(given.strip()):
            return True
        return _equal(request.cookies.get(self._cookie_name, ""), self._cookie)

    def is_token(self, given: str) -> bool:
        """Return whether ``given`` is the token; takes the same time however wrong it is."""
        return self._token is not None and _equal(given, self._token)

    def log_in(self, response: web.StreamResponse) -> None:
        """Let the browser that gets ``response`` in from now on."""
        age_s = round(COOKIE_DAYS * DAY_S)
        response.set_cookie(
            self._cookie_name,
            self._cookie,
            max_age=age_s,
            httponly=True,
            samesite="Strict",
            path="/",
        )


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Say to browsers what a page of ours may load, and that nothing is kept."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")


def _is_own_origin(request: web.Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    # Programs name no origin, and neither do forms under our Referrer-Policy in old browsers.
    origin = request.headers.get(hdrs.ORIGIN, "null")
    return origin == "null" or origin.partition("://")[2] == request.headers.get(hdrs.HOST)


def _host_of(request: web.Request) -> str:
    host = request.headers.get(hdrs.HOST, "")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name.strip("[]")


def _equal(given: str, wanted: str) -> bool:
    # Digests are of one length, so that not even the length of the token shows.
    pair = (hashlib.sha256(text.encode(errors="replace")).digest() for text in (given, wanted))
    return hmac.compare_digest(*pair)
