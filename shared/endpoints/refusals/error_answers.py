"""What a server says in place of a reply, whatever the protocol, as a refusal; pure.

Gemini's form, OpenAI's and what stands between come from any server: Google answers in a list on
its OpenAI route, routers pass other services' errors on, proxies send pages, connections are cut.
The status alone is always there, so that it counts where the body cannot be read.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from shared.endpoints.keys.quota import Quota, Window
from shared.endpoints.refusals.blame import FLAGGED, LIMIT_OF_NONE, WEB_PAGE, row_for
from shared.endpoints.refusals.foreign_json import as_count, as_dict, dicts_in, loads
from shared.endpoints.refusals.refusal import (
    InvalidKey,
    NoQuota,
    ProjectRefused,
    RateLimited,
    Refusal,
    Shed,
    Unanswered,
    Unavailable,
    WrongAddress,
)
from shared.program.reporting.secret_mask import SecretMask
from shared.value_class import value_class

LONGEST_REASON: Final = 200
"""Characters of a server's message that are kept."""
LONGEST_BODY: Final = 65_536
"""Bytes of an error that are read; what comes after them tells nothing new."""
NOT_SAID: Final = 502
"""The status of an error within a reply that names none."""

_WORD: Final = re.compile(r"[\w.-]{1,60}")
_CUT_WORD: Final = re.compile(r'"(?:status|reason|code|type)"\s*:\s*"([\w.-]{1,60})"')
_CUT_MESSAGE: Final = re.compile(r'"message"\s*:\s*"((?:[^"\\]|\\.)*)')
_TITLE: Final = re.compile(r"<title[^>]*>(.*?)(?:</|<|$)", re.IGNORECASE | re.DOTALL)
_MARKUP: Final = re.compile(r"^\s*<(!doctype|html|head|\?xml|body|title)", re.IGNORECASE)
_DURATION: Final = re.compile(r"^(?P<value>\d{1,9}(?:\.\d+)?)(?P<unit>ms|s)$")
_OVER_QUOTA: Final = re.compile(r"exceeded your (current )?quota|quota exceeded for", re.IGNORECASE)
_WHICH_QUOTA: Final = re.compile(r"\bQuota exceeded for .*", re.DOTALL)
_A_DAY: Final = re.compile(r"per[-_ ]day|daily|\b[RT]PD\b", re.IGNORECASE)
_NO_ROOM: Final = (429, 503)
_STATUSES: Final[Mapping[str, int]] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "INVALID_REQUEST_ERROR": 400,
    "UNAUTHENTICATED": 401,
    "AUTHENTICATION_ERROR": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "RATE_LIMIT_EXCEEDED": 429,
    "RATE_LIMIT_ERROR": 429,
}
"""For an error within a reply that has a word in place of a number."""


@value_class
class _Error:
    """What an error says: ``label`` is the word that stands before its message."""

    label: str
    message: str
    words: frozenset[str]
    fields: Mapping[str, Any]

    @property
    def details(self) -> Iterator[dict[str, Any]]:
        return dicts_in(self.fields.get("details"))

    @property
    def summary(self) -> str:
        """The label and the first sentence."""
        sentence = self.message.partition(". ")[0].rstrip(".")
        return f"{self.label}: {sentence}" if sentence else self.label

    @property
    def whole(self) -> str:
        return f"{self.label}: {self.message}" if self.message else self.label


def refusal_of(
    status: int, body: str, headers: Mapping[str, str], mask: SecretMask, *, url: str = ""
) -> Refusal:
    """Return our word for an answer that is no reply; ``mask`` keeps the key out of its reason.

    ``url`` is where it came from; ``headers`` are found by names in any case.
    """
    try:
        content = loads(body)
    except (ValueError, RecursionError):
        return _judged(status, _unreadable(status, body), headers, mask, url)
    return _judged(status, _read(status, content), headers, mask, url)


def shed_or_not(status: int, refusal: Refusal) -> Refusal:
    """Return what ``refusal`` means where requests are served only while there is room."""
    if isinstance(refusal, RateLimited) and refusal.is_vague:
        return Shed(refusal.reason, refusal.retry_after_s)
    if isinstance(refusal, Unavailable) and status in _NO_ROOM:
        return Shed(refusal.reason)
    return refusal


def refusal_within(content: object, headers: Mapping[str, str], mask: SecretMask) -> Refusal | None:
    """Return what an error in the body of a success means, by its own code; ``None`` without."""
    fields = _fields(content)
    if not fields.get("error"):
        return None
    error = _read(NOT_SAID, content)
    code = as_count(error.fields.get("code"))
    stated = [_STATUSES[word] for word in sorted(error.words) if word in _STATUSES]
    status = code if 300 <= code < 600 else next(iter(stated), NOT_SAID)  # noqa: PLR2004
    return _judged(status, error, headers, mask, "")


def unreadable_reply(body: str, mask: SecretMask) -> Refusal:
    """Return what the body of a success means that is no JSON: a page for people, or a cut."""
    if not _MARKUP.match(body):
        return Unanswered("a cut-off reply" if body.strip() else "an empty reply")
    told = _short(mask, _unreadable(0, body).message)
    return WrongAddress(f"the server answers with {told}")


def _judged(
    status: int, error: _Error, headers: Mapping[str, str], mask: SecretMask, url: str
) -> Refusal:
    row = row_for(status, error.words, error.message)
    if row.refusal is WrongAddress:
        words = _short(mask, _address_words(status, error, headers, url))
        refusal: Refusal = WrongAddress(words)
    else:
        refusal = _refusal(row.refusal, error, headers, mask)
        if row.way_out:
            refusal.reason += f": {row.way_out}"
    refusal.about = row.about
    return refusal


def _refusal(
    kind: type[Refusal], error: _Error, headers: Mapping[str, str], mask: SecretMask
) -> Refusal:
    if kind is RateLimited:
        return _rate_limited(error, headers, mask)
    if kind is NoQuota:
        return NoQuota("no quota at all for this model (limit 0)")
    if kind is InvalidKey and "API_KEY_INVALID" in error.words and "expired" not in error.message:
        return InvalidKey("API_KEY_INVALID")
    is_told_shortly = issubclass(kind, (InvalidKey, ProjectRefused))
    return kind(_short(mask, error.summary if is_told_shortly else error.whole))


def _short(mask: SecretMask, reason: str) -> str:
    # Half of a character, which a server's JSON may hold, is nothing for a log.
    whole = mask(reason).encode(errors="replace").decode()
    return whole if len(whole) <= LONGEST_REASON else f"{whole[: LONGEST_REASON - 1]}…"


def _address_words(status: int, error: _Error, headers: Mapping[str, str], url: str) -> str:
    parts = urlsplit(url)
    server = f"the server at {parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if 300 <= status < 400:  # noqa: PLR2004
        elsewhere = urlsplit(headers.get("location", "")).netloc.rpartition("@")[2]
        there = f" to {elsewhere}" if elsewhere else ""
        return f"{server} sends us on{there} ({status}), where no key goes"
    if status in {404, 410}:
        return f"{server} knows no such path: {parts.path} ({error.summary})"
    return f"{server} does not take such requests ({error.summary})"


def _fields(content: object) -> dict[str, Any]:
    """Return the object that holds an error: itself, or the first of a list."""
    if isinstance(content, list):
        return next(dicts_in(content), {})
    return as_dict(content)


def _read(status: int, content: object) -> _Error:
    outer = _fields(content)
    error = as_dict(outer.get("error")) or outer
    told = (error.get("message"), outer.get("error"), outer.get("message"), outer.get("detail"))
    message = next((text for text in told if isinstance(text, str) and text), "")
    details = list(dicts_in(error.get("details")))
    reasons = [detail["reason"] for detail in details if isinstance(detail.get("reason"), str)]
    named = [
        str(word)
        for word in (*reasons, error.get("status"), error.get("code"))
        if isinstance(word, str | int) and _WORD.fullmatch(str(word))
    ]
    words = (*named, str(error.get("type")), *_flags(error))
    return _Error(
        label=next(iter(named), str(status)),
        message=_one_line(_with_upstream(message, error)),
        words=frozenset(word.upper() for word in words) | _zero_limits(details),
        fields=error,
    )


def _with_upstream(message: str, error: Mapping[str, Any]) -> str:
    """Return a message with what a router passes on of the service behind it."""
    raw = as_dict(error.get("metadata")).get("raw")
    return f"{message}: {raw}" if isinstance(raw, str) and raw else message


def _flags(error: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the word for an input that a router's filter refused."""
    return (FLAGGED,) if as_dict(error.get("metadata")).get("flagged_input") else ()


def _zero_limits(details: list[dict[str, Any]]) -> frozenset[str]:
    limits = (as_dict(detail.get("metadata")).get("quota_limit_value") for detail in details)
    return frozenset({LIMIT_OF_NONE} if any(str(limit) == "0" for limit in limits) else ())


def _unreadable(status: int, body: str) -> _Error:
    """Return what can be made out of a page, a plain text, or JSON that was cut."""
    if _MARKUP.match(body):
        title = _TITLE.search(body)
        name = _one_line(html.unescape(title[1])) if title else ""
        message = f"a web page, no answer of the service ({name})" if name else "a web page"
        return _Error(str(status), message, frozenset({WEB_PAGE}), {})
    if body.lstrip()[:1] in {"{", "["}:
        cut = _CUT_MESSAGE.search(body)
        text = cut[1] if cut else "an answer that was cut off"
    else:
        text = body[:LONGEST_REASON]
    named = _CUT_WORD.findall(body)
    words = frozenset(word.upper() for word in named)
    return _Error(named[0] if named else str(status), _one_line(text), words, {})


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _rate_limited(error: _Error, headers: Mapping[str, str], mask: SecretMask) -> RateLimited:
    window, limits, delay_s = Window.MINUTE, Quota(), _named_delay_s(headers)
    says_quota = _OVER_QUOTA.search(error.message) or "RATE_LIMIT_EXCEEDED" in error.words
    is_vague = not says_quota
    for detail in error.details:
        if str(detail.get("@type", "")).endswith("RetryInfo"):
            delay_s = _seconds(detail.get("retryDelay"))
        for violation in dicts_in(detail.get("violations")):
            quota_id, is_vague = str(violation.get("quotaId") or ""), False
            if "PerDay" in quota_id:
                window = Window.DAY
            limits = limits.tightened(_named_limit(quota_id, violation.get("quotaValue")))
    resets_at = _resets_at(error, headers)
    # A delay that is named for a rolling day is true; Google's own is not.
    if resets_at is not None or (delay_s is None and _A_DAY.search(error.message)):
        window = Window.DAY
    return RateLimited(
        _short(mask, _quota_words(error)),
        window=window,
        retry_after_s=delay_s,
        limits=limits,
        resets_at=resets_at,
        is_vague=is_vague and window is not Window.DAY,
    )


def _quota_words(error: _Error) -> str:
    """Return what an error says of a quota: which one, rather than where to read about quotas."""
    which = _WHICH_QUOTA.search(error.message)
    return f"{error.label}: {which[0]}" if which else error.whole


def _resets_at(error: _Error, headers: Mapping[str, str]) -> float | None:
    """Return when the quota of the day is there again, in seconds, where a router tells."""
    passed_on = as_dict(as_dict(error.fields.get("metadata")).get("headers"))
    for source in (passed_on, headers):
        lowered = {str(name).lower(): value for name, value in source.items()}
        milliseconds = as_count(lowered.get("x-ratelimit-reset"))
        if milliseconds > 1e12 and _A_DAY.search(error.message):  # noqa: PLR2004 - since 1970
            return milliseconds / 1000
    return None


def _named_limit(quota_id: str, value: object) -> Quota:
    limit = as_count(value)
    if limit < 1:
        return Quota()
    if "Token" in quota_id:
        return Quota(tpm=limit) if "PerMinute" in quota_id else Quota()
    if "PerDay" in quota_id:
        return Quota(rpd=limit)
    return Quota(rpm=limit) if "PerMinute" in quota_id else Quota()


def _named_delay_s(headers: Mapping[str, str]) -> float | None:
    """Return the delay in seconds that the headers name; ``None`` without one, or with a date."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "")
        if re.fullmatch(r"\d{1,7}(\.\d+)?", text):
            return float(text) * unit_s
    return None


def _seconds(delay: object) -> float | None:
    match = _DURATION.match(str(delay or ""))
    if not match:
        return None
    value = float(match["value"])
    return value / 1000 if match["unit"] == "ms" else value
