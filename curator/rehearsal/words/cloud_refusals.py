"""What Google Cloud says where the developer API says something else. Pure.

The words were seen in public: without credentials (a2aproject/a2a-samples 43), of a project that
is not the caller's (rhel-lightspeed/linux-mcp-server 450), over quota (google-gemini/gemini-cli
14811). That a reply names its tier as ``trafficType`` is in the types of google-genai 3.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from curator.rehearsal.inbound import ServiceTier
from curator.rehearsal.words.replies import Json, WireReply, error_reply
from shared.value_class import value_class

_SERVICE: Final = "aiplatform.googleapis.com"
_INFO: Final = "type.googleapis.com/google.rpc.ErrorInfo"
_EXPECTED: Final = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. See "
    "https://developers.google.com/identity/sign-in/web/devconsole-project."
)
_TRAFFIC: Final[Mapping[ServiceTier, str]] = {
    ServiceTier.STANDARD: "ON_DEMAND",
    ServiceTier.FLEX: "ON_DEMAND_FLEX",
    ServiceTier.PRIORITY: "ON_DEMAND_PRIORITY",
}


@value_class
class Place:
    """What a request is about: a model of a project in a location."""

    project: str
    location: str
    model: str

    @property
    def resource(self) -> str:
        """Its name at Google Cloud."""
        return (
            f"projects/{self.project}/locations/{self.location}"
            f"/publishers/google/models/{self.model}"
        )


def no_credentials() -> WireReply:
    """Return the refusal of a request without a token."""
    message = f"Request is missing required authentication credential. {_EXPECTED}"
    return error_reply(401, "UNAUTHENTICATED", message, [_reason("CREDENTIALS_MISSING")])


def key_for_token() -> WireReply:
    """Return the refusal of a key in the place of a token."""
    message = (
        "API keys are not supported by this API. Expected OAuth2 access token or other "
        "authentication credentials that assert a principal. See "
        "https://cloud.google.com/docs/authentication"
    )
    return error_reply(401, "UNAUTHENTICATED", message, [_reason("CREDENTIALS_MISSING")])


def bad_token(reason: str) -> WireReply:
    """Return the refusal of a token that is none, or is no longer one."""
    message = f"Request had invalid authentication credentials. {_EXPECTED}"
    return error_reply(401, "UNAUTHENTICATED", message, [_reason(reason)])


def denied(place: Place) -> WireReply:
    """Return the refusal of a project that is not the caller's."""
    permission = "aiplatform.endpoints.predict"
    message = (
        f"Permission '{permission}' denied on resource '//{_SERVICE}/{place.resource}' "
        "(or it may not exist)."
    )
    metadata = {"permission": permission, "resource": place.resource}
    detail = {
        "@type": _INFO,
        "reason": "IAM_PERMISSION_DENIED",
        "domain": _SERVICE,
        "metadata": metadata,
    }
    return error_reply(403, "PERMISSION_DENIED", message, [detail])


def no_billing(place: Place) -> WireReply:
    """Return the refusal of a project without a billing account."""
    message = (
        "This API method requires billing to be enabled. Please enable billing on project "
        f"#{place.project} by visiting https://console.developers.google.com/billing/enable"
        f"?project={place.project} then retry."
    )
    detail = _reason("BILLING_DISABLED") | {
        "metadata": {"service": _SERVICE, "consumer": f"projects/{place.project}"}
    }
    return error_reply(403, "PERMISSION_DENIED", message, [detail])


def unknown_model(place: Place) -> WireReply:
    """Return the refusal of a model name."""
    message = (
        f"Publisher Model `{place.resource}` was not found or your project does not have access to "
        "it. Please ensure you are using a valid model version. For more information, see: "
        "https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions"
    )
    return error_reply(404, "NOT_FOUND", message)


def exhausted() -> WireReply:
    """Return the refusal of a request over quota, which names neither quota nor time."""
    message = (
        "Resource exhausted. Please try again later. Please refer to "
        "https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details."
    )
    return error_reply(429, "RESOURCE_EXHAUSTED", message)


def no_batches() -> WireReply:
    """Return what is told of jobs, whose files lie in buckets that nobody plays here."""
    message = "The rehearsal plays no batch jobs of Google Cloud; it plays those of the Gemini API."
    return error_reply(501, "UNIMPLEMENTED", message)


def paid_as(reply: WireReply) -> WireReply:
    """Return a success that names its tier as Google Cloud does."""
    usage = dict(reply.body["usageMetadata"])
    usage["trafficType"] = _TRAFFIC[ServiceTier(usage.pop("serviceTier"))]
    return WireReply(reply.status, reply.body | {"usageMetadata": usage})


def _reason(reason: str) -> Json:
    metadata = {"service": _SERVICE}
    return {"@type": _INFO, "reason": reason, "domain": "googleapis.com", "metadata": metadata}
