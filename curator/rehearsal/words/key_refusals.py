"""What the developer API says of keys and projects that may not ask. Pure."""

from __future__ import annotations

from typing import Final

from curator.rehearsal.words.replies import RPC, SERVICE, Json, WireReply, error_reply

_INVALID_KEY: Final = "API key not valid. Please pass a valid API key."


def invalid_key() -> WireReply:
    """Return the refusal of a key that nobody ever issued, or that was revoked."""
    details: list[Json] = [
        {
            "@type": f"{RPC}.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": SERVICE},
        },
        {"@type": f"{RPC}.LocalizedMessage", "locale": "en-US", "message": _INVALID_KEY},
    ]
    return error_reply(400, "INVALID_ARGUMENT", _INVALID_KEY, details)


def expired_key() -> WireReply:
    """Return the refusal of a key whose time is over."""
    reply = invalid_key()
    message = "API key expired. Please renew the API key."
    details = reply.body["error"]["details"][:1]
    return error_reply(400, "INVALID_ARGUMENT", message, details)


def missing_key() -> WireReply:
    """Return the refusal of a request without a key."""
    return error_reply(
        403,
        "PERMISSION_DENIED",
        "Method doesn't allow unregistered callers (callers without established identity). "
        "Please use API Key or other form of API consumer identity to call this API.",
    )


def leaked_key() -> WireReply:
    """Return the refusal of a key that was found in public."""
    message = "Your API key was reported as leaked. Please use another API key."
    return error_reply(403, "PERMISSION_DENIED", message)


def suspended_key(api_key: str, project_number: int) -> WireReply:
    """Return the refusal of a suspended consumer; like Google's, it repeats the key in clear."""
    consumer = f"api_key:{api_key}"
    detail = {
        "@type": f"{RPC}.ErrorInfo",
        "reason": "CONSUMER_SUSPENDED",
        "domain": "googleapis.com",
        "metadata": {
            "service": SERVICE,
            "consumer": f"projects/{project_number}",
            "containerInfo": consumer,
        },
    }
    message = f"Permission denied: Consumer '{consumer}' has been suspended."
    return error_reply(403, "PERMISSION_DENIED", message, [detail])


def blocked_key(project_number: int) -> WireReply:
    """Return the refusal of a key that is restricted to other services."""
    message = (
        f"Requests to this API {SERVICE} method "
        "google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent are blocked."
    )
    return _of_consumer("API_KEY_SERVICE_BLOCKED", message, project_number)


def disabled_service(project_number: int) -> WireReply:
    """Return the refusal of a project in which nobody turned the service on."""
    url = f"https://console.developers.google.com/apis/api/{SERVICE}/overview"
    message = (
        f"Generative Language API has not been used in project {project_number} before or it is "
        f"disabled. Enable it by visiting {url}?project={project_number} then retry. If you "
        "enabled this API recently, wait a few minutes for the action to propagate to our systems "
        "and retry."
    )
    return _of_consumer("SERVICE_DISABLED", message, project_number)


def _of_consumer(reason: str, message: str, project_number: int) -> WireReply:
    detail = {
        "@type": f"{RPC}.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"service": SERVICE, "consumer": f"projects/{project_number}"},
    }
    return error_reply(403, "PERMISSION_DENIED", message, [detail])


def denied_project() -> WireReply:
    """Return the refusal of a project that lost access."""
    message = "Your project has been denied access. Please contact support."
    return error_reply(403, "PERMISSION_DENIED", message)


def unpaid_project() -> WireReply:
    """Return the refusal of a project whose credits are used up; no quota is named."""
    message = (
        "Your prepayment credits are depleted. Please go to AI Studio at "
        "https://ai.studio/projects to manage your project and billing."
    )
    return error_reply(429, "RESOURCE_EXHAUSTED", message)


def closed_model(model: str) -> WireReply:
    """Return the refusal of a model that goes on for older projects alone."""
    message = (
        f"This model models/{model} is no longer available to new users. Please update your code "
        "to use a newer model for the latest features and improvements."
    )
    return error_reply(404, "NOT_FOUND", message)


def wrong_kind_of_key() -> WireReply:
    """Return the refusal of a key for another service, or of a kind that is no longer taken."""
    message = (
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login "
        "cookie or other valid authentication credential. See "
        "https://developers.google.com/identity/sign-in/web/devconsole-project."
    )
    detail = {
        "@type": f"{RPC}.ErrorInfo",
        "reason": "ACCESS_TOKEN_TYPE_UNSUPPORTED",
        "domain": "googleapis.com",
        "metadata": {"service": SERVICE},
    }
    return error_reply(401, "UNAUTHENTICATED", message, [detail])
