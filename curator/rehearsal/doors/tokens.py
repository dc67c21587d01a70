"""Where service accounts of Google Cloud get their access tokens, as RFC 7523 describes it.

Nothing is known here of the accounts' keys, so that the signature of an assertion is not checked:
who names a project of the script gets its token.
"""

from __future__ import annotations

import base64
import json
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from curator.rehearsal.doors.door import body_of, telling
from curator.rehearsal.judge import Judge
from curator.rehearsal.tally import RehearsalTally

OAUTH_PATH: Final = "/token"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ACCOUNTS: Final = ".iam.gserviceaccount.com"
_LASTS_S: Final = 3599


class TokensDoor:
    """Answers the service accounts of the projects that ``judge`` knows."""

    def __init__(self, judge: Judge, tally: RehearsalTally) -> None:
        self._judge = judge
        self._tally = tally

    def routes(self) -> list[web.RouteDef]:
        """Return what is answered here."""
        return [web.post(OAUTH_PATH, telling(self._token))]

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = dict(parse_qsl((await body_of(request)).decode(errors="replace")))
        if form.get("grant_type") != _GRANT:
            return _refused("unsupported_grant_type", f"Invalid grant_type: {_GRANT} is played.")
        project = _project_in(form.get("assertion", ""))
        token = self._judge.token_of(project, self._tally.requests_of)
        if token is None:
            return _refused("invalid_grant", "Invalid grant: account not found")
        told = {
            "access_token": token.api_key,
            "expires_in": _LASTS_S,
            "token_type": "Bearer",
        }
        return web.json_response(told)


def _project_in(assertion: str) -> str:
    """Return the project of the account that issued an assertion; empty where it tells none."""
    try:
        claims = assertion.split(".")[1]
        content = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        issuer = content["iss"]
    except (ValueError, IndexError, KeyError, TypeError):
        return ""
    domain = str(issuer).partition("@")[2]
    return domain.removesuffix(_ACCOUNTS) if domain.endswith(_ACCOUNTS) else ""


def _refused(error: str, description: str) -> web.Response:
    told = {"error": error, "error_description": description}
    return web.json_response(told, status=400)
