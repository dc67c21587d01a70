"""Gemini's wire format: requests as bytes, replies in our words; pure.

google-genai, whose ``generate_content`` checks and converts each request and reply several times
over, takes four times as long as this, and heeds a dozen variables of the environment; the
rehearsal is tested with it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from shared.endpoints.models.asked_settings import NO_SETTINGS, ModelSettings
from shared.endpoints.models.model_status import NO_STATUS, ModelStatus
from shared.endpoints.models.tier import Tier
from shared.endpoints.protocols.annotator import (
    PROMPT_BLOCKED,
    AskedForm,
    Reply,
    ending_of,
    model_of,
    tier_of,
)
from shared.endpoints.refusals.error_answers import refusal_within, unreadable_reply
from shared.endpoints.refusals.foreign_json import as_count, as_dict, dicts_in, loads
from shared.endpoints.refusals.refusal import ModelRefused, Unanswered, Unavailable
from shared.endpoints.request import ReplySchema, Request
from shared.program.reporting.secret_mask import SecretMask

METHOD: Final = "generateContent"
"""What a model must take to be asked."""
COUNTING_METHOD: Final = "countTokens"
COUNTED_BODY: Final = b'{"contents": [{"role": "user", "parts": [{"text": "?"}]}]}'
"""What is counted to learn whether a model may be asked."""
_TRAFFIC: Final = {"ON_DEMAND": Tier.STANDARD, "ON_DEMAND_FLEX": Tier.FLEX}
"""What Google Cloud calls the tiers."""
_NO_SECRETS: Final = SecretMask()
"""Whoever hands a body over has masked it."""
_NO_HEADERS: Final[Mapping[str, str]] = {}
_IMAGE_ENDS: Final = '"}}'


def request_body(
    request: Request,
    form: AskedForm = AskedForm.SCHEMA,
    settings: ModelSettings = NO_SETTINGS,
    tier: Tier = Tier.STANDARD,
) -> bytes:
    """Return the body of a ``generateContent`` request, as JSON."""
    if request.image_jpeg is None:
        return _body_of_texts(request, form, settings, tier)
    head, tail = _around_the_image(
        request.prompt_text,
        request.schema,
        form=form,
        settings=settings,
        tier=tier,
        temperature=request.temperature,
        most_output_tokens=request.most_output_tokens,
    )
    # The SDK's URL-safe alphabet takes twice as long to write; the service reads either.
    image = base64.b64encode(request.image_jpeg)
    further = "".join(map(_part_texts, request.further)).encode()
    closing = f', {{"text": {json.dumps(request.closing_text)}}}' if request.closing_text else ""
    return b"".join((head, image, _IMAGE_ENDS.encode(), further, closing.encode(), tail))


def _part_texts(further: tuple[str, bytes]) -> str:
    """Return the parts of a further picture with its caption, as JSON."""
    words, jpeg = further
    data = base64.b64encode(jpeg).decode()
    parts = {"text": words}, {"inlineData": {"mimeType": "image/jpeg", "data": data}}
    return "".join(f", {json.dumps(part)}" for part in parts)


# Few texts are in use at a time: a campaign's prompts, with few mixes of styles and in few forms.
@lru_cache(maxsize=64)
def _around_the_image(
    prompt_text: str,
    schema: ReplySchema,
    *,
    form: AskedForm,
    settings: ModelSettings,
    tier: Tier,
    temperature: float | None,
    most_output_tokens: int | None,
) -> tuple[bytes, bytes]:
    """Return what stands before the image's data and what after the parts."""
    image = {"inlineData": {"mimeType": "image/jpeg", "data": ""}}
    before = [{"text": prompt_text}] if prompt_text else []
    content: dict[str, Any] = {"contents": [{"role": "user", "parts": [*before, image]}]}
    content |= _config(
        schema,
        form=form,
        settings=settings,
        tier=tier,
        temperature=temperature,
        most_output_tokens=most_output_tokens,
    )
    # A quotation mark within a text is escaped, so that these stand here alone.
    head, mark, tail = json.dumps(content).partition('"data": "')
    return (head + mark).encode(), tail.removeprefix(_IMAGE_ENDS).encode()


def _body_of_texts(request: Request, form: AskedForm, settings: ModelSettings, tier: Tier) -> bytes:
    """Return the body of a request without a picture."""
    parts = [{"text": text} for text in (request.prompt_text, request.closing_text) if text]
    content = {"contents": [{"role": "user", "parts": parts}]} | _config(
        request.schema,
        form=form,
        settings=settings,
        tier=tier,
        temperature=request.temperature,
        most_output_tokens=request.most_output_tokens,
    )
    return json.dumps(content).encode()


def _config(
    schema: ReplySchema,
    *,
    form: AskedForm,
    settings: ModelSettings,
    tier: Tier,
    temperature: float | None,
    most_output_tokens: int | None,
) -> dict[str, Any]:
    """Return the fields of a body besides its contents."""
    fields: dict[str, Any] = {}
    config = _setting_fields(settings)
    if temperature is not None:
        config["temperature"] = temperature
    if form is not AskedForm.PLAIN:
        config |= {"responseMimeType": "application/json", "responseSchema": schema.content}
    if most_output_tokens is not None:
        config["maxOutputTokens"] = most_output_tokens
    if config:
        fields["generationConfig"] = config
    if tier is not Tier.STANDARD:
        fields["serviceTier"] = tier.value
    return fields


def _setting_fields(settings: ModelSettings) -> dict[str, Any]:
    """Return what of ``generationConfig`` says how to think and to look."""
    fields: dict[str, Any] = {}
    # A request that has both of them is refused.
    if settings.thinking_budget is not None:
        fields["thinkingConfig"] = {"thinkingBudget": settings.thinking_budget}
    elif settings.thinking:
        fields["thinkingConfig"] = {"thinkingLevel": settings.thinking.upper()}
    if settings.image_detail:
        fields["mediaResolution"] = f"MEDIA_RESOLUTION_{settings.image_detail.upper()}"
    return fields


def read_reply(body: str) -> Reply:
    """Return what matters of a successful body.

    Raises:
        Refusal: the body holds an error, is cut off, or is not what the service sends.
    """
    content = _content(body)
    candidate = next(dicts_in(content.get("candidates")), {})
    parts = dicts_in(as_dict(candidate.get("content")).get("parts"))
    texts = [str(part["text"]) for part in parts if "text" in part and not part.get("thought")]
    blocked = as_dict(content.get("promptFeedback")).get("blockReason")
    usage = as_dict(content.get("usageMetadata"))
    return Reply(
        body=body,
        text="".join(texts),
        ending=ending_of(
            PROMPT_BLOCKED + str(blocked) if blocked else candidate.get("finishReason")
        ),
        input_tokens=as_count(usage.get("promptTokenCount")),
        output_tokens=as_count(usage.get("candidatesTokenCount")),
        thought_tokens=as_count(usage.get("thoughtsTokenCount")),
        model=model_of(content.get("modelVersion")),
        status=_status(content),
        cached_tokens=as_count(usage.get("cachedContentTokenCount")),
        image_tokens=_image_tokens(usage),
        tier=tier_of(usage.get("serviceTier")) or _TRAFFIC.get(str(usage.get("trafficType"))),
    )


def _image_tokens(usage: Mapping[str, Any]) -> int:
    details = dicts_in(usage.get("promptTokensDetails"))
    return sum(as_count(entry.get("tokenCount")) for entry in details if _is_of_images(entry))


def _is_of_images(entry: Mapping[str, Any]) -> bool:
    return entry.get("modality") == "IMAGE"


def read_model(body: str) -> ModelStatus:
    """Return what the answer to ``GET models/NAME`` tells of the model.

    Raises:
        Refusal: the body holds an error, is cut off, tells of no model, or of one that answers no
            such requests.
    """
    content = _content(body)
    if not isinstance(content.get("name"), str):
        raise Unavailable("an answer that tells of no model")
    methods = content.get("supportedGenerationMethods")
    if isinstance(methods, list) and METHOD not in methods:
        raise ModelRefused(f"the model takes no {METHOD}")
    return _status(content)


def read_count(body: str) -> ModelStatus:
    """Return what the answer to ``countTokens`` tells of a model, which is that it may be asked.

    Raises:
        Refusal: the body holds an error, is cut off, or counts nothing.
    """
    if not isinstance(_content(body).get("totalTokens"), int):
        raise Unavailable("an answer that counts no tokens")
    return NO_STATUS


def _content(body: str) -> dict[str, Any]:
    try:
        content = loads(body)
    except (ValueError, RecursionError) as error:
        raise unreadable_reply(body, _NO_SECRETS) from error
    if refusal := refusal_within(content, _NO_HEADERS, _NO_SECRETS):
        raise refusal
    if not isinstance(content, dict):
        raise Unanswered("a reply that is not a JSON object")
    return content


def _status(content: Mapping[str, Any]) -> ModelStatus:
    status = as_dict(content.get("modelStatus"))
    if not status:
        return NO_STATUS
    return ModelStatus(ending_of(status.get("modelStage")), _moment(status.get("retirementTime")))


def _moment(text: object) -> float | None:
    """Return a time as the service writes it, in seconds since the epoch; ``None`` for no such."""
    try:
        at = datetime.fromisoformat(str(text))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
