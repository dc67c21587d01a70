"""Whose fault an answer is that is no reply: one table for every protocol; pure.

What each refusal means for the run is in ``shared.endpoints.refusals.refusal``;
``shared.endpoints.refusals.error_answers`` reads what the table looks at out of a body.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from shared.endpoints.refusals.refusal import (
    BadRequest,
    DetailNotTaken,
    FormNotTaken,
    InvalidKey,
    ModelRefused,
    NoQuota,
    ProjectRefused,
    RateLimited,
    Refusal,
    ThinkingNotTaken,
    TierRefused,
    Unavailable,
    WrongAddress,
)
from shared.value_class import value_class

WEB_PAGE: Final = "WEB_PAGE"
"""Stands among the words of an answer that is a page for people."""
LIMIT_OF_NONE: Final = "QUOTA_LIMIT_VALUE=0"
"""Stands among the words where the details state a limit of 0."""
FLAGGED: Final = "FLAGGED_INPUT"
"""Stands among the words where a router says what of a request its filter refused."""


_PAY: Final = "add credit or turn billing on"
_SWITCH_ON: Final = "switch the service on for the project"
_MOVE: Final = "run it where the service is offered"


@value_class
class BlameRow:
    """Answers that mean the same: those of a status that hold a word or say something.

    ``statuses`` is empty where any status will do. ``words`` are for machines, in capitals, such as
    a reason or an error code; ``says`` is an expression that is looked for in the message, and
    compiled with the first. Without either, the status decides. ``way_out`` is what a person must
    do where nothing else helps.
    """

    refusal: type[Refusal]
    about: str
    statuses: frozenset[int] = frozenset()
    words: frozenset[str] = frozenset()
    says: str = ""
    way_out: str = ""

    def fits(self, status: int, words: frozenset[str], message: str) -> bool:
        """Return whether an answer is one of these."""
        if self.statuses and status not in self.statuses:
            return False
        if not self.words and not self.says:
            return True
        return bool(self.words & words) or (
            bool(self.says) and re.search(self.says, message, re.IGNORECASE) is not None
        )


def _row(
    refusal: type[Refusal],
    about: str,
    statuses: Iterable[int] = (),
    *,
    words: str = "",
    says: str = "",
    way_out: str = "",
) -> BlameRow:
    return BlameRow(refusal, about, frozenset(statuses), frozenset(words.split()), says, way_out)


TABLE: Final = (
    # What a word tells, whatever the status.
    _row(
        ProjectRefused,
        "a project that is suspended, or has been denied access",
        {403},
        words="GCP_SUSPENDED USER_PROJECT_DENIED",
        says=r"consumer '?projects?[/_:].*suspended|"
        r"project\b.* (is|has been|was) (denied|suspended)",
        way_out="ask the service's support why",
    ),
    _row(
        InvalidKey,
        "a key that is unknown, expired, suspended, or restricted to something else",
        words="API_KEY_INVALID API_KEY_EXPIRED CONSUMER_SUSPENDED CONSUMER_INVALID "
        "INVALID_API_KEY ACCOUNT_DEACTIVATED",
    ),
    _row(
        InvalidKey,
        "a key that is restricted to other services, addresses or programs",
        words="API_KEY_SERVICE_BLOCKED API_KEY_IP_ADDRESS_BLOCKED API_KEY_HTTP_REFERRER_BLOCKED "
        "API_KEY_ANDROID_APP_BLOCKED API_KEY_IOS_APP_BLOCKED",
        way_out="lift that restriction of the key, or make another one",
    ),
    _row(
        InvalidKey,
        "a kind of key that is not taken here",
        words="ACCESS_TOKEN_TYPE_UNSUPPORTED OVERLOADED_CREDENTIALS",
        says=r"multiple authentication credentials",
        way_out="make a key of the kind that is issued now, which takes --service gemini",
    ),
    _row(
        InvalidKey,
        "an account that may not ask in its project",
        words="IAM_PERMISSION_DENIED",
        way_out="give it the role roles/aiplatform.user there",
    ),
    _row(
        ModelRefused,
        "a model that does not exist, or not for this project",
        words="MODEL_NOT_FOUND MODEL_NOT_SUPPORTED DEPLOYMENTNOTFOUND",
    ),
    _row(
        ProjectRefused,
        "an account without money",
        words="INSUFFICIENT_QUOTA BILLING_HARD_LIMIT_REACHED BILLING_NOT_ACTIVE BILLING_DISABLED "
        "INSUFFICIENT_BALANCE",
        way_out=_PAY,
    ),
    _row(
        ProjectRefused,
        "a project with the service switched off",
        words="SERVICE_DISABLED SERVICE_NOT_VISIBLE",
        way_out=_SWITCH_ON,
    ),
    _row(
        ProjectRefused,
        "a country or state that is not served",
        words="UNSUPPORTED_COUNTRY_REGION_TERRITORY LOCATION_POLICY_VIOLATED",
        way_out=_MOVE,
    ),
    # The address.
    _row(WrongAddress, "a redirect, which no key and no picture follows", range(300, 400)),
    _row(WrongAddress, "a server or proxy that takes no such request", {405, 407, 501, 505}),
    _row(
        WrongAddress,
        "a path that the server does not know",
        {404, 410},
        words=WEB_PAGE,
        says=r"(no|unknown|invalid) (route|path|url)|cannot post|requested url",
    ),
    _row(
        ModelRefused,
        "a model that is unknown, retired, or closed to this project",
        {404, 410},
        says=r"\bmodels?\b|requested entity|no endpoints found|deployment",
    ),
    _row(WrongAddress, "a path that the server does not know", {404, 410}),
    # The account.
    _row(
        RateLimited,
        "a project that spends faster than it may, which minutes mend",
        {429},
        says=r"spend(ing)?[ -](based[ -])?rate|(10|ten)[ -]minutes?",
    ),
    _row(ProjectRefused, "no credit left", {402}, way_out=_PAY),
    _row(
        ProjectRefused,
        "no credit left, or billing that is off",
        {400, 403, 429},
        says=r"prepa(id|y)|credits? (balance )?(is|are|has been|have been) (depleted|exhausted|too "
        r"low)|(insufficient|not enough|out of) (credit|balance|fund)|spending cap|"
        r"(enable|requires?) billing|billing (account )?(is )?(not|disabled)|credits? .{0,40}"
        r"(used up|run out|expired)",
        way_out=_PAY,
    ),
    _row(ProjectRefused, "a country or state that is not served", {451}, way_out=_MOVE),
    _row(
        ModelRefused,
        "a model that a location does not have",
        {400},
        says=r"models?\b.{0,200} (not|isn't) (servable|served|available|supported) in (the )?"
        r"(region|location)",
    ),
    _row(
        ProjectRefused,
        "a country or project that is not served",
        {400},
        words="FAILED_PRECONDITION",
        says=r"location is not supported|not available in your (country|region)",
        way_out=_MOVE,
    ),
    _row(
        ProjectRefused,
        "a service that is switched off",
        {401, 403},
        says=r"has not been used in project|it is disabled",
        way_out=_SWITCH_ON,
    ),
    _row(
        ProjectRefused,
        "a place that is not served",
        {401, 403},
        says=r"(location|country|region)\b.* (not|un)",
        way_out=_MOVE,
    ),
    _row(ProjectRefused, "a place that is not served", {401, 403}, words=WEB_PAGE),
    # The key.
    _row(
        InvalidKey,
        "a key that is not taken here",
        {400},
        says=r"api[ _-]key",
    ),
    _row(
        ModelRefused,
        "a model that does not exist, or not for this project",
        {400, 403},
        says=r"(not a valid|invalid|unknown) model( id\b| name\b| ?['\"`:]|[.,;]|$)|"
        r"access to (the )?model|"
        r"\bmodel\b.{1,80} (does not exist|(was |is )?not found)",
    ),
    _row(
        BadRequest,
        "a picture that a filter refuses",
        {403},
        words=FLAGGED,
        says=r"moderation|flagged",
    ),
    _row(
        InvalidKey,
        "a key that is unknown, leaked or denied",
        {403},
        says=r"leaked",
        way_out="delete it and make another one",
    ),
    _row(InvalidKey, "a key that is unknown, leaked or denied", {401, 403}),
    # The tier.
    _row(
        TierRefused,
        "a tier that the model is not served at",
        {400},
        says=r"(flex|priority|batch)( api| tier)? is not (supported|available|enabled)|"
        r"(unsupported|invalid|unknown)[^.]{0,40}service[ _]?tier|service[ _]?tier[^.]{0,60} not ",
    ),
    # The settings.
    _row(
        ThinkingNotTaken,
        "a level of thinking that the model does not take",
        {400},
        says=r"thinking|reasoning[ _]?effort",
    ),
    _row(
        DetailNotTaken,
        "a detail of images that the model does not take",
        {400},
        says=r"media[ _]?resolution|image[ _]?detail|image_url\.detail|'detail'",
    ),
    # The form.
    _row(
        FormNotTaken,
        "a form of reply that the model does not know",
        {400},
        says=r"json mode|response[ _]?(mime|schema|json|format)|structured output",
    ),
    # The quota.
    _row(
        NoQuota,
        "a model outside of what the project may use at all",
        {429},
        words=LIMIT_OF_NONE,
        says=r"\blimit:? 0(?![\d.,]*\d)",
    ),
    _row(
        Unavailable,
        "no capacity, which is no quota at all",
        {429},
        words="MODEL_CAPACITY_EXHAUSTED",
        says=r"capacity|overloaded|upstream|provider returned error",
    ),
    _row(RateLimited, "a project over its quota", {429}),
    # The service, and what is left: the request.
    _row(Unavailable, "a server in trouble", {408, 409, 425, *range(500, 600)}),
    _row(BadRequest, "a request that no key makes better", range(400, 500)),
    _row(Unavailable, "an answer that makes no sense"),
)


def row_for(status: int, words: frozenset[str], message: str) -> BlameRow:
    """Return what an answer means: the first row of the table that fits."""
    return next(row for row in TABLE if row.fits(status, words, message))
