"""Asks Gemini: connections, and what goes wrong on the way.

All keys share one aiohttp session. Every error becomes a ``Refusal`` of
``shared.endpoints.refusals.refusal``. A key never leaves this module: error texts that come from
the server are searched for it, because some of them repeat it in clear. Where a key is asked with
is ``doors``', the wire format ``gemini_wire``'s.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import aiohttp

from shared.endpoints.connections import CleanConnector, refusal_of_connection
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.variables import GEMINI_KEYS
from shared.endpoints.models.asked_settings import NO_SETTINGS, ModelSettings
from shared.endpoints.models.model_status import ModelStatus
from shared.endpoints.models.tier import Tier
from shared.endpoints.protocols.annotator import (
    DEFAULT_TIMEOUT_S,
    NO_FORMS,
    AskedForm,
    Connection,
    Protocol,
    Reply,
    ask_without,
    check_base_url,
)
from shared.endpoints.protocols.departures import UNTOLD, departure_of_request
from shared.endpoints.protocols.doors.credentials import require_credentials
from shared.endpoints.protocols.doors.door import Door, Doors
from shared.endpoints.protocols.doors.tokens import AccessTokens, TokenRefused, account_refused
from shared.endpoints.protocols.gemini_wire import (
    COUNTED_BODY,
    COUNTING_METHOD,
    METHOD,
    read_count,
    read_model,
    read_reply,
    request_body,
)
from shared.endpoints.protocols.line import OK, Answer, Lines
from shared.endpoints.refusals.error_answers import LONGEST_BODY, refusal_of, shed_or_not
from shared.endpoints.refusals.refusal import (
    BadRequest,
    FormNotTaken,
    InvalidKey,
    Refusal,
    SettingNotTaken,
    Unanswered,
)
from shared.endpoints.request import Request
from shared.program.reporting.secret_mask import SecretMask

_UNAUTHORIZED: Final = 401
_SILENT_S: Final = 60
"""Longest silence of a connection, in seconds."""


class Gemini:
    """Asks with whatever key and whichever model each request brings."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        base_url: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        forms: Mapping[str, AskedForm] = NO_FORMS,
        settings: MutableMapping[str, ModelSettings] | None = None,
        tier: Tier = Tier.STANDARD,
        mask: SecretMask | None = None,
    ) -> None:
        """The session stays the caller's to close; ``forms`` are what models are known to take.

        ``settings`` say to each model how to think and to look, and change where one refuses; all
        are asked at ``tier``. Access tokens are registered with ``mask``.
        """
        self._timeout_s = timeout_s
        self._lines = Lines(session, timeout_s)
        self._doors = Doors(base_url, timeout_s)
        self._tokens = AccessTokens(session, self._doors.token_mask, mask or SecretMask())
        self._forms = dict(forms)
        self._settings = {} if settings is None else settings
        self._tier = tier

    @classmethod
    @asynccontextmanager
    async def connected(
        cls,
        *,
        connections: int,
        base_url: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        forms: Mapping[str, AskedForm] = NO_FORMS,
        settings: MutableMapping[str, ModelSettings] | None = None,
        tier: Tier = Tier.STANDARD,
        mask: SecretMask | None = None,
    ) -> AsyncIterator[Gemini]:
        """Open a session of at most ``connections`` connections for the time of the block.

        Raises:
            InputError: ``base_url`` is not an address.
        """
        check_base_url(base_url)
        connector = CleanConnector(limit=connections, socket_factory=lasting_socket)
        async with aiohttp.ClientSession(
            connector=connector,
            # It would send the passwords of a .netrc along; proxies are looked up by ``proxy_for``.
            trust_env=False,
            # No key's session should be known by what another key was told.
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session:
            yield cls(
                session,
                base_url=base_url,
                timeout_s=timeout_s,
                forms=forms,
                settings=settings,
                tier=tier,
                mask=mask,
            )

    async def generate(self, request: Request, key: Key, model: str) -> Reply:
        """Ask ``model`` one request with ``key``, once.

        Raises:
            Refusal: whatever came instead of a reply; see ``shared.endpoints.refusals.refusal``.
        """
        door = self._doors.of(key, model)
        url, form = f"{door.model_url}:{METHOD}", self._forms.get(model, AskedForm.SCHEMA)
        settings = self._settings.get(model, NO_SETTINGS)
        body = request_body(request, form, settings, self._tier)
        try:
            return read_reply(await self._answer("POST", url, door, body))
        except SettingNotTaken as refused:
            refusal = ask_without(self._settings, model, settings, form, refused)
        except FormNotTaken as refused:
            refusal = self._in_plain_text(model, form, refused)
        raise refusal

    def _in_plain_text(self, model: str, form: AskedForm, refusal: FormNotTaken) -> Refusal:
        if form is AskedForm.PLAIN:
            return BadRequest(refusal.reason)
        self._forms[model] = AskedForm.PLAIN
        return FormNotTaken(refusal.reason, AskedForm.PLAIN)

    async def look_up(self, key: Key, model: str) -> ModelStatus:
        """Ask once whether ``key`` may use ``model``, which costs no quota.

        Raises:
            Refusal: it may not, or there was no answer; see ``shared.endpoints.refusals.refusal``.
        """
        door = self._doors.of(key, model)
        if door.account is None:
            return read_model(await self._answer("GET", door.model_url, door))
        # What Google Cloud tells of a model names neither project nor location.
        url = f"{door.model_url}:{COUNTING_METHOD}"
        return read_count(await self._answer("POST", url, door, COUNTED_BODY))

    async def _answer(self, method: str, url: str, door: Door, body: bytes | None = None) -> str:
        """Return the body of a success, without the key; raise all else as a refusal."""
        if door.account is None:
            return await self._sent(method, url, door, door.headers, body)
        token = await self._tokens.current(door.account)
        try:
            return await self._sent(method, url, door, {**door.headers, **token.headers}, body)
        except TokenRefused:
            # It was revoked, or the clocks disagree on how long it lasts.
            token = await self._tokens.renewed(door.account, token)
        try:
            return await self._sent(method, url, door, {**door.headers, **token.headers}, body)
        except TokenRefused as refused:
            refusal = account_refused(door.account)
            refusal.about = refused.about
        raise refusal

    async def _sent(
        self, method: str, url: str, door: Door, headers: Mapping[str, str], body: bytes | None
    ) -> str:
        refusal: Refusal
        departure = departure_of_request() or UNTOLD
        departure.waits()
        try:
            line = self._lines.to(method, url, headers, door.proxy)
            answer = await self._lines.send(line, body, departure.left, LONGEST_BODY)
            text = answer.body.decode() if answer.status == OK else None
        except TimeoutError:
            refusal = Unanswered(f"no answer within {self._timeout_s:g} s")
        except (aiohttp.ClientError, OSError) as error:
            refusal = refusal_of_connection(error) or Unanswered(
                f"connection failed ({type(error).__name__})"
            )
        except (ValueError, RecursionError):
            refusal = Unanswered("a body that cannot be read")
        else:
            if text is not None:
                # Nothing says that a reply will not repeat the key, and the body is kept for good.
                return door.mask(text)
            refusal = _refused(answer, url, door)
            if self._tier is Tier.FLEX and method == "POST":
                refusal = shed_or_not(answer.status, refusal)
        # Raised out here so that no error, which may quote the key, becomes its context.
        raise refusal


def lasting_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Return a socket that says now and then that it is there.

    At a tier that takes minutes nothing is sent meanwhile, and what stands between forgets
    connections that are silent for some minutes.
    """
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Not every system has a name for them.
    for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
        if option := getattr(socket, name, None):
            made.setsockopt(socket.IPPROTO_TCP, option, _SILENT_S)
    return made


def _refused(answer: Answer, url: str, door: Door) -> Refusal:
    """Return what an answer means that is no success, also where its body cannot be read."""
    text = answer.body.decode(errors="replace")
    refusal = refusal_of(answer.status, text, answer.headers, door.mask, url=url)
    is_of_token = door.account is not None and answer.status == _UNAUTHORIZED
    if not (is_of_token and isinstance(refusal, InvalidKey)):
        return refusal
    refused = TokenRefused(refusal.reason)
    refused.about = refusal.about
    return refused


def model_name(model: str) -> str:
    """Return the service's own name for ``model``: some write whose it is before it."""
    for prefix in ("models/", "gemini/", "google/", "models/"):
        model = model.removeprefix(prefix)
    return model


def _connected(connection: Connection) -> AbstractAsyncContextManager[Gemini]:
    return Gemini.connected(
        connections=connection.connections,
        base_url=connection.base_url,
        timeout_s=connection.timeout_s,
        forms=connection.forms,
        settings=connection.settings,
        tier=connection.tier,
        mask=connection.mask,
    )


PROTOCOL: Final = Protocol(
    keys=GEMINI_KEYS,
    address_variable="GOOGLE_GEMINI_BASE_URL",
    connected=_connected,
    read_reply=read_reply,
    has_listed_models=True,
    look_is_final=True,
    model_name=model_name,
    tiers=(Tier.STANDARD, Tier.FLEX, Tier.BATCH),
    require_credentials=require_credentials,
)
