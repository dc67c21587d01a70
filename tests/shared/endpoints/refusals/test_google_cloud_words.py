"""What Google Cloud says that the developer API does not, and whose fault it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.endpoints.keys.quota import Window
from shared.endpoints.refusals.error_answers import refusal_of
from shared.endpoints.refusals.refusal import (
    InvalidKey,
    ModelRefused,
    ProjectRefused,
    RateLimited,
    Refusal,
)
from shared.program.reporting.secret_mask import SecretMask

PLACE = "projects/our-cloud/locations/europe-west4/publishers/google/models/gemini-9-flash"


def refusal(status: int, word: str, message: str, reason: str = "") -> Refusal:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    error: dict[str, Any] = {"code": status, "status": word, "message": message}
    body = json.dumps({"error": error | ({"details": details} if reason else {})})
    return refusal_of(status, body, {}, SecretMask())


@pytest.mark.parametrize(
    ("told", "kind", "way_out"),
    [
        (
            (404, "NOT_FOUND", (f"Publisher Model `{PLACE}` was not found or your project does not "
             "have access to it. Please ensure you are using a valid model version.")),
            ModelRefused, "",
        ),
        (
            (400, "FAILED_PRECONDITION",
             f"Publisher Model `{PLACE}` is not servable in region europe-west4."),
            ModelRefused, "",
        ),
        (
            (400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
            ProjectRefused, "run it where the service is offered",
        ),
        (
            (403, "PERMISSION_DENIED", (f"Permission 'aiplatform.endpoints.predict' denied on "
             f"resource '//aiplatform.googleapis.com/{PLACE}' (or it may not exist)."),
             "IAM_PERMISSION_DENIED"),
            InvalidKey, "roles/aiplatform.user",
        ),
        (
            (403, "PERMISSION_DENIED", ("Vertex AI API has not been used in project our-cloud "
             "before or it is disabled."), "SERVICE_DISABLED"),
            ProjectRefused, "switch the service on",
        ),
        (
            (403, "PERMISSION_DENIED", "This API method requires billing to be enabled.",
             "BILLING_DISABLED"),
            ProjectRefused, "turn billing on",
        ),
    ],
)  # fmt: skip
def test_each_answer_is_blamed_on_whose_it_is(told, kind, way_out):
    found = refusal(*told)
    assert (type(found), way_out in found.reason) == (kind, True)


@pytest.mark.parametrize(
    ("message", "is_vague", "window"),
    [
        ("Resource exhausted. Please try again later.", True, Window.MINUTE),
        (
            (
                "Quota exceeded for aiplatform.googleapis.com/generate_content_requests_per_minute"
                "_per_project_per_base_model with base model: gemini-9-flash. Please submit a "
                "quota increase request."
            ),
            False,
            Window.MINUTE,
        ),
        (
            (
                "Quota exceeded for aiplatform.googleapis.com/generate_content_requests_per_day_per"
                "_project_per_base_model with base model: gemini-9-flash."
            ),
            False,
            Window.DAY,
        ),
    ],
)
def test_a_quota_that_is_named_in_the_message_alone_is_one(message, is_vague, window):
    found = refusal(429, "RESOURCE_EXHAUSTED", message)
    assert isinstance(found, RateLimited)
    assert (found.is_vague, found.window) == (is_vague, window)
