"""Where Gemini is asked: the addresses of both doors; pure.

Those of Google Cloud are the ones that google-genai 3.4 makes with ``enterprise=True``; a test
holds them against it.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from shared.endpoints.keys.cloud_account import CloudAccount

GOOGLE: Final = "https://generativelanguage.googleapis.com"
VERSION: Final = "v1beta"
"""Of the protocol, where an address names none; it has every model and every field."""
CLOUD_VERSION: Final = "v1beta1"
"""The same at Google Cloud."""
_MULTI_REGIONS: Final = ("us", "eu")
_ADDRESS: Final = re.compile(
    r"(?P<server>.*?)(/+(?P<version>v\d+\w*))?(/+models(/+[^/]*)?)?/*", re.IGNORECASE
)


def server_and_version(base_url: str | None) -> tuple[str, str]:
    """Return where a server is and the version of its protocol, out of as much of an address.

    ``/v1``, ``/v1beta/`` and ``/v1beta/models/NAME:generateContent`` at the end are no part of it.
    """
    match = _ADDRESS.fullmatch(base_url or GOOGLE)
    if match is None:
        return base_url or GOOGLE, VERSION
    return match["server"], match["version"] or VERSION


def cloud_server(location: str) -> str:
    """Return the server of a location of Google Cloud."""
    if location == "global":
        return "https://aiplatform.googleapis.com"
    if location in _MULTI_REGIONS:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


def cloud_models_url(account: CloudAccount, base_url: str | None) -> str:
    """Return what stands before a model's name where ``account`` asks.

    ``base_url`` is another server than the location's own.
    """
    server = server_and_version(base_url)[0] if base_url else cloud_server(account.location)
    project, location = quote(account.project, safe=":"), quote(account.location)
    place = f"projects/{project}/locations/{location}"
    return f"{server}/{CLOUD_VERSION}/{place}/publishers/google/models"
