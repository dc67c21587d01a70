"""Credentials of Google Cloud, by google-auth: a service account's file, or the default ones."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from shared.endpoints.keys.cloud_account import CloudAccount
from shared.endpoints.keys.key import Key
from shared.errors import InputError

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

_SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
_LOG_IN: Final = (
    "run gcloud auth application-default login, let GOOGLE_APPLICATION_CREDENTIALS name a file of "
    'credentials, or give credentials = "FILE"'
)
_LONGEST_WHY: Final = 160
"""Characters."""


def require_credentials(keys: Iterable[Key]) -> None:
    """Check that those of ``keys`` that are accounts of Google Cloud have credentials.

    Where there are no default credentials, finding that out may take some seconds: google-auth asks
    whether this machine is one of Google Cloud's.

    Raises:
        InputError: google-auth is not installed, or credentials are missing or cannot be read.
    """
    first = {key.account.credentials: key for key in reversed([*keys]) if key.account is not None}
    if first and not _is_installed():
        raise InputError(
            "keys with enterprise = true need their extra: pip install 'abo-vqa[curator,google]'"
        )
    for key in first.values():
        if key.account is not None:
            try:
                credentials_of(key.account)
            except InputError as error:
                raise InputError(f"key {key.label!r}: {error}") from None


def credentials_of(account: CloudAccount) -> Credentials:
    """Return the credentials of an account, which have no access token yet.

    Raises:
        InputError: they are missing or cannot be read. It quotes no key.
    """
    # Half a second with what it imports, and few pools have such accounts.
    import google.auth  # noqa: PLC0415
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
    from google.oauth2 import service_account  # noqa: PLC0415

    told = ""
    try:
        if account.credentials is not None:
            path = str(account.credentials)
            found = service_account.Credentials.from_service_account_file(path, scopes=_SCOPES)
        else:
            with warnings.catch_warnings():
                # That a person's own credentials name no project for quota: requests are told that.
                warnings.simplefilter("ignore", UserWarning)
                found, _ = google.auth.default(scopes=_SCOPES)
    except (GoogleAuthError, ValueError, OSError) as error:
        told = " ".join(str(error.args[0] if error.args else error).split())[:_LONGEST_WHY]
    else:
        credentials: Credentials = found
        return credentials
    if account.credentials is not None:
        # What the libraries say of a private key that is none may quote it.
        raise InputError(f"credentials {account.credentials}: its private_key cannot be read")
    raise InputError(f"no default credentials of Google Cloud ({told}): {_LOG_IN}")


def _is_installed() -> bool:
    try:
        return find_spec("google.auth") is not None
    except ImportError:
        return False
