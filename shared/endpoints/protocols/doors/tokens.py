"""Access tokens of Google Cloud: got in a thread when they are due, or when one is refused."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp

from shared.endpoints.keys.cloud_account import CloudAccount
from shared.endpoints.protocols.doors.credentials import credentials_of
from shared.endpoints.refusals.error_answers import LONGEST_REASON
from shared.endpoints.refusals.refusal import InvalidKey, Refusal, Unavailable, Unreachable
from shared.errors import InputError
from shared.program.reporting.secret_mask import SecretMask
from shared.value_class import value_class

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.auth.exceptions import GoogleAuthError

_WAY_OUT: Final = "log in again, or give credentials that serve"


@value_class
class AccessToken:
    """A token, and the project that is charged for what a person asks, if one is named."""

    text: str = field(repr=False)
    quota_project: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What a request brings along."""
        charged = {"x-goog-user-project": self.quota_project} if self.quota_project else {}
        return {"Authorization": f"Bearer {self.text}", **charged}


@dataclass(slots=True)
class _Account:
    """The credentials behind accounts, one token for all of them."""

    credentials: Credentials
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def token(self) -> AccessToken:
        project = getattr(self.credentials, "quota_project_id", None)
        return AccessToken(str(self.credentials.token or ""), project or "")


class AccessTokens:
    """Hands out tokens that are good for some minutes more at least.

    Each is registered with ``masks`` before it is used.
    """

    def __init__(self, session: aiohttp.ClientSession, *masks: SecretMask) -> None:
        self._session = session
        self._masks = masks
        self._accounts: dict[Path | None, _Account] = {}
        self._loading = asyncio.Lock()

    async def current(self, account: CloudAccount) -> AccessToken:
        """Return a token of ``account``.

        Raises:
            InvalidKey: its credentials bring none.
            Unavailable: nobody answered.
        """
        from google.auth.credentials import TokenState  # noqa: PLC0415 - as in ``credentials``

        held = await self._held(account)
        if held.credentials.token_state is TokenState.FRESH:
            return held.token
        if held.credentials.token_state is TokenState.STALE and held.lock.locked():
            # It still lasts some minutes, and one who asks for another is enough.
            return held.token
        async with held.lock:
            before = held.credentials.token_state
            if before is not TokenState.FRESH:
                try:
                    await self._renew(account, held)
                except (InvalidKey, Unavailable):
                    if before is not TokenState.STALE:
                        raise
        return held.token

    async def renewed(self, account: CloudAccount, refused: AccessToken) -> AccessToken:
        """Return another token than one that was refused, however long that was to last.

        Raises:
            InvalidKey, Unavailable: as for ``current``.
        """
        held = await self._held(account)
        async with held.lock:
            if held.token == refused:
                await self._renew(account, held)
        return held.token

    async def _held(self, account: CloudAccount) -> _Account:
        held = self._accounts.get(account.credentials)
        if held is not None:
            return held
        async with self._loading:
            held = self._accounts.get(account.credentials)
            if held is None:
                try:
                    # It imports, reads files, and may ask whose this machine is.
                    found = await asyncio.to_thread(credentials_of, account)
                except InputError as error:
                    raise InvalidKey(str(error)) from None
                held = self._accounts[account.credentials] = _Account(found)
        return held

    async def _renew(self, account: CloudAccount, held: _Account) -> None:
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415 - as above

        from shared.endpoints.protocols.doors.session_transport import SessionTransport  # noqa: PLC0415

        transport = SessionTransport(self._session, asyncio.get_running_loop())
        refusal: Refusal | None = None
        try:
            await asyncio.to_thread(held.credentials.refresh, transport)
        except GoogleAuthError as error:
            refusal = _refusal_of(error, account)
        except (ValueError, KeyError, TypeError, AttributeError):
            # What google-auth makes of an answer that is no token's, such as a page, differs.
            refusal = Unavailable(f"an answer that holds no access token of {_name(account)}")
        if refusal is not None:
            raise refusal
        for mask in self._masks:
            mask.register([held.token.text])


class TokenRefused(InvalidKey):
    """An access token is not taken; another one may be."""


def account_refused(account: CloudAccount) -> InvalidKey:
    """Return what it means that a new token is refused as well."""
    return InvalidKey(
        f"no access token of {_name(account)} is taken (401), not even a new one: {_WAY_OUT}"
    )


def _refusal_of(error: GoogleAuthError, account: CloudAccount) -> Refusal:
    from google.auth.exceptions import TransportError  # noqa: PLC0415 - as above

    at_fault = (error, error.__cause__)
    if any(isinstance(each, TransportError) for each in at_fault):
        return Unreachable(f"no answer to who asks for an access token of {_name(account)}")
    why = " ".join(str(error.args[0] if error.args else error).split())[:LONGEST_REASON]
    if error.retryable:
        return Unavailable(f"no access token of {_name(account)} now ({why})")
    return InvalidKey(f"no access token of {_name(account)} ({why}): {_WAY_OUT}")


def _name(account: CloudAccount) -> str:
    return account.email or "the default credentials"
