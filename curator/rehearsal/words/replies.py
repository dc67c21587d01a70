"""The bodies that Google's server sends, word for word where they are known. Pure.

A ``WireReply`` is an HTTP status and a JSON object; nothing here knows of HTTP beyond that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final, TypeAlias

from curator.rehearsal.inbound import Inquiry, text_tokens
from shared.value_class import value_class

Json: TypeAlias = dict[str, Any]

SERVICE: Final = "generativelanguage.googleapis.com"
RPC: Final = "type.googleapis.com/google.rpc"
RATE_LIMITS_URL: Final = "https://ai.google.dev/gemini-api/docs/rate-limits"
_RATINGS: Final = (
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
)


@value_class
class WireReply:
    """An HTTP status and the JSON object that goes with it."""

    status: int
    body: Json

    @property
    def is_success(self) -> bool:
        """Whether it is no error."""
        return "error" not in self.body


class Limit(StrEnum):
    """A quota that Google counts; the value is the name in configuration."""

    REQUESTS_A_MINUTE = "rpm"
    TOKENS_A_MINUTE = "tpm"
    REQUESTS_A_DAY = "rpd"


class Tier(StrEnum):
    """How a project pays; the names of its quotas tell."""

    FREE = "free"
    PAID = "paid"


@value_class
class Violation:
    """A quota that a request would go over, and its limit in requests or tokens."""

    limit: Limit
    value: int


_QUOTA_IDS: Final = {
    Limit.REQUESTS_A_MINUTE: "GenerateRequestsPerMinutePerProjectPerModel",
    Limit.TOKENS_A_MINUTE: "GenerateContentInputTokensPerModelPerMinute",
    Limit.REQUESTS_A_DAY: "GenerateRequestsPerDayPerProjectPerModel",
}
_METRICS: Final = {
    (Tier.FREE, Limit.REQUESTS_A_MINUTE): "generate_content_free_tier_requests",
    (Tier.FREE, Limit.TOKENS_A_MINUTE): "generate_content_free_tier_input_token_count",
    (Tier.FREE, Limit.REQUESTS_A_DAY): "generate_content_free_tier_requests",
    (Tier.PAID, Limit.REQUESTS_A_MINUTE): "generate_requests_per_model",
    (Tier.PAID, Limit.TOKENS_A_MINUTE): "generate_content_paid_tier_input_token_count",
    (Tier.PAID, Limit.REQUESTS_A_DAY): "generate_requests_per_model_per_day",
}


def answer(inquiry: Inquiry, text: str, *, model: str, response_id: str) -> WireReply:
    """Return a candidate with ``text``, cut where the request's output limit says so."""
    limit = inquiry.max_output_tokens
    if limit is not None and inquiry.thought_tokens + text_tokens(text) > limit:
        # Thinking comes first, and counts.
        inquiry = replace(inquiry, thought_tokens=min(inquiry.thought_tokens, limit))
        left = limit - inquiry.thought_tokens
        return cut_off_answer(inquiry, text, left, model=model, response_id=response_id)
    candidate = _candidate(text, "STOP")
    return _success(inquiry, [candidate], text, model=model, response_id=response_id)


def cut_off_answer(
    inquiry: Inquiry, text: str, tokens: int, *, model: str, response_id: str
) -> WireReply:
    """Return a candidate whose text ends after ``tokens`` output tokens: MAX_TOKENS."""
    beginning = text[: tokens * 4]
    candidate = _candidate(beginning, "MAX_TOKENS")
    return _success(inquiry, [candidate], beginning, model=model, response_id=response_id)


def withheld_answer(inquiry: Inquiry, reason: str, *, model: str, response_id: str) -> WireReply:
    """Return a candidate without content; ``reason`` is its finish reason, such as SAFETY."""
    ratings = [
        {"category": category, "probability": "HIGH" if place == 1 else "NEGLIGIBLE"}
        | ({"blocked": True} if place == 1 else {})
        for place, category in enumerate(_RATINGS)
    ]
    candidate: Json = {"finishReason": reason, "index": 0}
    if reason == "SAFETY":
        candidate["safetyRatings"] = ratings
    return _success(inquiry, [candidate], "", model=model, response_id=response_id)


def blocked_prompt(inquiry: Inquiry, *, model: str, response_id: str) -> WireReply:
    """Return a success without candidates: the prompt itself was blocked."""
    reply = _success(inquiry, [], "", model=model, response_id=response_id)
    return WireReply(200, {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}} | reply.body)


def no_candidate(inquiry: Inquiry, *, model: str, response_id: str) -> WireReply:
    """Return a success that holds neither a candidate nor a reason."""
    return _success(inquiry, [], "", model=model, response_id=response_id)


def token_count(inquiry: Inquiry) -> WireReply:
    """Return the answer to ``countTokens``."""
    total = inquiry.prompt_tokens
    return WireReply(200, {"totalTokens": total, "promptTokensDetails": _by_modality(inquiry)})


def error_reply(
    code: int, status: str, message: str, details: Sequence[Json] | None = None
) -> WireReply:
    """Return an error; ``code`` is its HTTP status, ``status`` the name of its canonical code."""
    error: Json = {"code": code, "message": message, "status": status}
    return WireReply(code, {"error": error | ({"details": list(details)} if details else {})})


def unserved_region() -> WireReply:
    """Return the refusal of a caller from where the service is not offered."""
    message = "User location is not supported for the API use."
    return error_reply(400, "FAILED_PRECONDITION", message)


def bad_request(message: str) -> WireReply:
    """Return the refusal of a request that is malformed."""
    return error_reply(400, "INVALID_ARGUMENT", message)


def refused_thinking(model: str, setting: str) -> WireReply:
    """Return the refusal of a way to think that a model does not know."""
    return bad_request(f"Thinking {setting} is not supported for this model: {model}.")


def unknown_model(model: str, version: str) -> WireReply:
    """Return the refusal of a model name."""
    message = (
        f"models/{model} is not found for API version {version}, or is not supported for "
        "generateContent. Call ListModels to see the list of available models and their "
        "supported methods."
    )
    return error_reply(404, "NOT_FOUND", message)


def over_quota(
    violations: Sequence[Violation], *, model: str, tier: Tier, retry_after_s: float
) -> WireReply:
    """Return the refusal of a request over quota, with Help, QuotaFailure and RetryInfo."""
    listed = [_violation(violation, model, tier) for violation in violations]
    delay = _duration(retry_after_s)
    lines = [
        f"* Quota exceeded for metric: {entry['quotaMetric']}, limit: {violation.value}, "
        f"model: {model}"
        for entry, violation in zip(listed, violations, strict=True)
    ]
    message = (
        "You exceeded your current quota, please check your plan and billing details. For more "
        f"information on this error, head to: {RATE_LIMITS_URL}. \n"
        + "\n".join(lines)
        + f"\nPlease retry in {delay}."
    )
    details: list[Json] = [
        help_detail(),
        {"@type": f"{RPC}.QuotaFailure", "violations": listed},
        {"@type": f"{RPC}.RetryInfo", "retryDelay": delay},
    ]
    return error_reply(429, "RESOURCE_EXHAUSTED", message, details)


def help_detail() -> Json:
    """Return where a refusal over quota says that more is to be read."""
    links = [{"description": "Learn more about Gemini API quotas", "url": RATE_LIMITS_URL}]
    return {"@type": f"{RPC}.Help", "links": links}


def over_unsaid_quota() -> WireReply:
    """Return the refusal of what is over a quota; which one, and until when, is not said.

    So are jobs refused (langchain4j/langchain4j 3942), and at times plain requests, as users of
    several clients report.
    """
    message = (
        "You exceeded your current quota, please check your plan and billing details. For more "
        f"information on this error, head to: {RATE_LIMITS_URL}. To monitor your current usage, "
        "head to: https://ai.dev/rate-limit. "
    )
    return error_reply(429, "RESOURCE_EXHAUSTED", message, [help_detail()])


def exhausted() -> WireReply:
    """Return a 429 that says nothing about which quota, or until when."""
    message = "Resource has been exhausted (e.g. check quota)."
    return error_reply(429, "RESOURCE_EXHAUSTED", message)


def no_capacity(status: HTTPStatus = HTTPStatus.TOO_MANY_REQUESTS) -> WireReply:
    """Return a 429 that is no quota at all, or the same as 503."""
    detail = {
        "@type": f"{RPC}.ErrorInfo",
        "reason": "MODEL_CAPACITY_EXHAUSTED",
        "domain": SERVICE,
    }
    is_429 = status is HTTPStatus.TOO_MANY_REQUESTS
    name = "RESOURCE_EXHAUSTED" if is_429 else "UNAVAILABLE"
    message = "No capacity available for this model on the server."
    return error_reply(status.value, name, message, [detail])


def internal_error() -> WireReply:
    """Return 500."""
    message = "An internal error has occurred. Please retry or report."
    return error_reply(500, "INTERNAL", message)


def overloaded() -> WireReply:
    """Return 503."""
    message = "The model is overloaded. Please try again later."
    return error_reply(503, "UNAVAILABLE", message)


def deadline_exceeded() -> WireReply:
    """Return 504."""
    message = "Deadline expired before operation could complete."
    return error_reply(504, "DEADLINE_EXCEEDED", message)


def _candidate(text: str, finish_reason: str) -> Json:
    content = {"parts": [{"text": text}], "role": "model"}
    return {"content": content, "finishReason": finish_reason, "index": 0}


def _success(
    inquiry: Inquiry, candidates: list[Json], text: str, *, model: str, response_id: str
) -> WireReply:
    written = text_tokens(text)
    usage: Json = {
        "promptTokenCount": inquiry.prompt_tokens,
        "totalTokenCount": inquiry.prompt_tokens + written + inquiry.thought_tokens,
        "promptTokensDetails": _by_modality(inquiry),
        "serviceTier": inquiry.service_tier,
    }
    if written:
        usage["candidatesTokenCount"] = written
    if inquiry.thought_tokens:
        usage["thoughtsTokenCount"] = inquiry.thought_tokens
    if inquiry.cached_tokens:
        usage["cachedContentTokenCount"] = inquiry.cached_tokens
    body: Json = {"candidates": candidates} if candidates else {}
    body |= {"usageMetadata": usage, "modelVersion": model, "responseId": response_id}
    return WireReply(200, body)


def _by_modality(inquiry: Inquiry) -> list[Json]:
    counts = [{"modality": "TEXT", "tokenCount": inquiry.text_tokens}]
    if inquiry.images:
        counts.append({"modality": "IMAGE", "tokenCount": inquiry.image_tokens})
    return counts


def _violation(violation: Violation, model: str, tier: Tier) -> Json:
    suffix = "-FreeTier" if tier is Tier.FREE else ""
    listed: Json = {
        "quotaMetric": f"{SERVICE}/{_METRICS[tier, violation.limit]}",
        "quotaId": _QUOTA_IDS[violation.limit] + suffix,
        "quotaDimensions": {"location": "global", "model": model},
    }
    # Google's JSON leaves out what has its default value, and so does a limit of nothing.
    return listed | ({"quotaValue": str(violation.value)} if violation.value else {})


def _duration(seconds: float) -> str:
    if 0 < seconds < 1:
        return f"{seconds * 1000:.2f}".rstrip("0").rstrip(".") + "ms"
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"
