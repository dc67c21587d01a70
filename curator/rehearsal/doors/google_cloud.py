"""The door of Google Cloud: models of a project in a location, for those who bring a token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from aiohttp import web

from curator.rehearsal.answers.replying import Ruling
from curator.rehearsal.doors.desk import Desk
from curator.rehearsal.doors.door import KEY_HEADER, Refused, body_of, json_reply, telling
from curator.rehearsal.inbound import ServiceTier
from curator.rehearsal.judge import Asked, Judge
from curator.rehearsal.key_ring import RehearsedKey, RehearsedKeyState
from curator.rehearsal.tally import RehearsalTally
from curator.rehearsal.words.cloud_refusals import (
    Place,
    bad_token,
    denied,
    exhausted,
    key_for_token,
    no_batches,
    no_billing,
    no_credentials,
    paid_as,
    unknown_model,
)
from curator.rehearsal.words.replies import WireReply, token_count

SHARED_REQUEST_TYPE: Final = "X-Vertex-AI-LLM-Shared-Request-Type"
"""The header that asks for a service tier."""
_VERSION: Final = "{version:v1|v1beta1}"
_PLACE: Final = f"/{_VERSION}/projects/{{project}}/locations/{{location}}"
_MODEL: Final = f"{_PLACE}/publishers/google/models/{{model}}"
_BEARER: Final = "bearer "


class GoogleCloudDoor:
    """Answers those who come with an access token."""

    def __init__(self, judge: Judge, tally: RehearsalTally, desk: Desk) -> None:
        self._judge = judge
        self._tally = tally
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Return what is answered here."""
        jobs = f"{_PLACE}/batchPredictionJobs"
        return [
            web.post(f"{_MODEL}:generateContent", telling(self._generate_content)),
            web.post(f"{_MODEL}:countTokens", telling(self._count_tokens)),
            web.get(f"/{_VERSION}/publishers/google/models/{{model}}", telling(self._look_up)),
            web.get(_MODEL, telling(self._look_up)),
            *(web.route(method, jobs, _refuse_jobs) for method in ("GET", "POST")),
        ]

    async def _generate_content(self, request: web.Request) -> web.StreamResponse:
        place = _place(request)
        return await self._desk.serve(
            request,
            self._caller(request, place),
            lambda body: _asked(request, body),
            lambda ruling: worded(ruling, place),
        )

    async def _count_tokens(self, request: web.Request) -> web.StreamResponse:
        place = _place(request)
        key = self._caller(request, place)
        earlier = self._tally.called(key.label, key.project, "count_tokens")
        counted = self._judge.counted(key, earlier, _asked(request, await body_of(request)))
        if isinstance(counted, Ruling):
            return json_reply(worded(counted, place))
        return json_reply(token_count(counted))

    async def _look_up(self, request: web.Request) -> web.StreamResponse:
        place = _place(request)
        key = self._caller(request, place)
        earlier = self._tally.looked_up(key.label)
        refused = self._judge.refusal(key, earlier, version="v1beta1", model=place.model)
        if refused is not None:
            raise Refused(worded(refused, place))
        told = {
            "name": f"publishers/google/models/{place.model}",
            "versionId": "default",
            "launchStage": "GA",
        }
        return json_reply(WireReply(200, told))

    def _caller(self, request: web.Request, place: Place) -> RehearsedKey:
        """Return the token of a request.

        Raises:
            Refused: it brings a key instead, or is about the project of somebody else.
        """
        authorization = request.headers.get("Authorization", "")
        is_bearer = authorization.lower().startswith(_BEARER)
        if not is_bearer and KEY_HEADER in request.headers:
            raise Refused(key_for_token())
        token = authorization[len(_BEARER) :].strip() if is_bearer else ""
        key = self._judge.token(token, place.project, place.location)
        if key.is_enterprise and place.project and not key.is_of(place.project, place.location):
            raise Refused(denied(place))
        if not key.api_key or key.is_enterprise:
            return key
        return replace(key, state=RehearsedKeyState.INVALID, valid_for=0)


def _place(request: web.Request) -> Place:
    told = request.match_info
    return Place(told.get("project", ""), told.get("location", ""), told["model"])


def _asked(request: web.Request, body: bytes) -> Asked:
    named = request.headers.get(SHARED_REQUEST_TYPE, "").lower()
    place = _place(request)
    return Asked(
        model=place.model,
        body=body,
        version=request.match_info["version"],
        region=place.location,
        tier=ServiceTier(named) if named in set(ServiceTier) else None,
    )


async def _refuse_jobs(_: web.Request) -> web.StreamResponse:
    return json_reply(no_batches())


def worded(ruling: Ruling, place: Place) -> WireReply:
    """Return ``ruling`` as Google Cloud puts it."""
    if ruling.reply.is_success:
        return paid_as(ruling.reply)
    told = _REFUSALS.get(ruling.outcome)
    return ruling.reply if told is None else told(place)


_REFUSALS: Final[Mapping[str, Callable[[Place], WireReply]]] = {
    "missing_key": lambda _: no_credentials(),
    "invalid_key": lambda _: bad_token("ACCESS_TOKEN_TYPE_UNSUPPORTED"),
    "leaked_key": lambda _: bad_token("ACCESS_TOKEN_TYPE_UNSUPPORTED"),
    "expired_key": lambda _: bad_token("ACCESS_TOKEN_EXPIRED"),
    "denied_key": denied,
    "unpaid_key": no_billing,
    "closed_key": unknown_model,
    "unknown_model": unknown_model,
    "minute_quota": lambda _: exhausted(),
    "day_quota": lambda _: exhausted(),
    "exhausted": lambda _: exhausted(),
}
